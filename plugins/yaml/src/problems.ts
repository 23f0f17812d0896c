import type { Problem } from '@gateway/core'
import type { Spot } from './read/node.ts'

type Details = Pick<Problem, 'code' | 'hint'>

/** Collects what is wrong with a file, so that all of it is told in one run. */
export class Problems {
  readonly list: Problem[] = []
  readonly #missing = new Set<string>()

  /** The config is refused. */
  error(at: Spot, message: string, details: Partial<Details> = {}): void {
    this.#add('error', at, message, { code: 'CONFIG_INVALID_VALUE', ...details })
  }

  warning(at: Spot, message: string, details: Partial<Details> = {}): void {
    this.#add('warning', at, message, { code: 'CONFIG_YAML', ...details })
  }

  /** For what the file asks for and this gateway does not do, or not yet: what follows "is not done: ". */
  unsupported(at: Spot, reason: string): void {
    this.#add('warning', at, `is not done: ${reason}`, { code: 'CONFIG_UNSUPPORTED' })
  }

  get failed(): boolean {
    return this.list.some(({ severity }) => severity === 'error')
  }

  #add(severity: Problem['severity'], { source, offset, variable }: Spot, message: string, details: Details): void {
    const { file } = source
    // What is wrong with a value that is missing follows from that.
    const place = `${file}:${offset}`
    if (severity === 'error' && this.#missing.has(place)) return
    if (details.code === 'CONFIG_ENV_MISSING') this.#missing.add(place)
    if (variable !== undefined)
      this.list.push({ severity, message: `the environment variable ${variable} ${message}`, file, ...details })
    else this.list.push({ severity, message, file, ...source.place(offset), ...details })
  }
}
