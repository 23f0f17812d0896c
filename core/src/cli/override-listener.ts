import { isRecord } from '../config/issues.ts'

export interface ListenerOverride {
  readonly port?: number | undefined
  readonly host?: string | undefined
}

/** What a command line puts in the place of what the config says, now and after every reload. */
export interface Overrides extends ListenerOverride {
  /** Each request has a line in the log, unless the config says otherwise itself. */
  readonly accessLog?: boolean | undefined
  readonly workers?: number | 'auto' | undefined
}

/** The config with what the command line says; the number of workers is the supervisor's to change. */
export function override(config: unknown, { accessLog, port, host }: Overrides): unknown {
  const adjusted = overrideListener(config, { port, host })
  return accessLog ? accessLogOn(adjusted) : adjusted
}

/**
 * The config with another port or address for its first listener; `config` itself is left alone. A config that is
 * wrong there comes back as it was: whoever checks it can say what is wrong.
 */
export function overrideListener(config: unknown, { port, host }: ListenerOverride): unknown {
  const override = { ...(port === undefined ? {} : { port }), ...(host === undefined ? {} : { host }) }
  if (Object.keys(override).length === 0 || !isRecord(config)) return config
  const { listen } = config
  if (listen === undefined) return { ...config, listen: { port: 8080, ...override } }
  if (!Array.isArray(listen)) return isRecord(listen) ? { ...config, listen: { ...listen, ...override } } : config
  const [first, ...rest]: unknown[] = listen
  return isRecord(first) ? { ...config, listen: [{ ...first, ...override }, ...rest] } : config
}

/** The config with a line for each request, unless it says otherwise itself. */
export function accessLogOn(config: unknown): unknown {
  if (!isRecord(config)) return config
  const { log = {} } = config
  return isRecord(log) ? { ...config, log: { access: true, ...log } } : config
}
