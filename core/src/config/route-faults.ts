import type { Problem } from './problem.ts'

type Fault = Omit<Problem, 'severity'>

/** A route on which a plugin that the config requires is not at work. */
export function withoutRequired(plugin: string, route: string) {
  const message = `the config requires "${plugin}", which is not at work here: give the route its options, or write "${plugin}: false" if it is to go without`
  return { code: 'CONFIG_ROUTE_WITHOUT_REQUIRED', message, path: ['routes', route] } as const satisfies Fault
}

/** A route on which one plugin waits for the end of bodies that another keeps open. */
export function bufferedStream(buffering: string, streaming: string, route: string) {
  const message = `plugin "${buffering}" holds back whole bodies, which plugin "${streaming}" streams here: switch one of them off on this route`
  return { code: 'CONFIG_BUFFERED_STREAM', message, path: ['routes', route] } as const satisfies Fault
}
