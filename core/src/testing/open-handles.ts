import { AsyncLocalStorage, createHook } from 'node:async_hooks'

/** What async_hooks calls the things that a plugin has to close. */
const kinds =
  /^(Timeout|(TCP|TCPSERVER|PIPE|PIPESERVER|UDP|TTY|FSEVENT|PROCESS)WRAP|STATWATCHER|WORKER|MESSAGEPORT|HTTP2SESSION|TLSWRAP)$/

// What is opened by whoever runs beside a case, such as the test runner, is none of its business.
const run = new AsyncLocalStorage<Map<number, string>>()

/** What steps opened and did not close within the time, by kind. */
export async function leftOver(steps: () => Promise<void>, settleMs: number): Promise<string> {
  const before = processListeners()
  const open = await watchOpened(async opened => {
    await steps()
    await until(() => opened.size === 0, settleMs)
    return [...opened.values()]
  })
  const listeners = processListeners() - before
  return [...open, ...(listeners > 0 ? [`${listeners} listeners of process`] : [])].toSorted().join(', ')
}

/** Runs steps within which {@link openNow} knows what they have opened and not closed, by kind. */
export async function watchOpened<T>(steps: (opened: ReadonlyMap<number, string>) => Promise<T>): Promise<T> {
  const open = new Map<number, string>()
  const hook = createHook({
    init(id, kind) {
      if (kinds.test(kind)) run.getStore()?.set(id, kind)
    },
    destroy: id => void open.delete(id),
  }).enable()
  try {
    return await run.run(open, () => steps(open))
  } finally {
    hook.disable()
  }
}

/** What is open within {@link watchOpened}, once it is what is expected, or for want of that after the time. */
export async function openNow(settleMs: number, expected?: string): Promise<string> {
  const now = () => [...(run.getStore()?.values() ?? [])].toSorted().join(', ')
  await until(() => now() === expected, expected === undefined ? 0 : settleMs)
  return now()
}

export const processListeners = () => process.eventNames().reduce((sum, event) => sum + process.listenerCount(event), 0)

/** Lets the event loop turn until the condition holds, at most for the time, and at least a few times. */
export async function until(condition: () => boolean, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs
  for (let turn = 0; turn < 3 || (!condition() && performance.now() < end); turn++) {
    await run.exit(() => new Promise(resolve => setImmediate(resolve)))
  }
}
