import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { whyUnreadable } from './read-small-file.ts'
import { missingVariable, placeholderText, readVariable, reportFault } from './readings.ts'
import { followSecretFile } from './secret-file.ts'

/**
 * A text that does not show: as a string, in JSON and when inspected it is `[secret NAME]`. Whoever needs the text reads
 * `value`, each time anew: it is cheap, and a file that was rotated is picked up by it. What is derived from the text has
 * to be derived again once `value` is another string.
 */
export class Secret {
  readonly name: string
  readonly #read: () => string

  /** For a source of secrets of one's own: `read` is called at each use and must answer at once. */
  constructor(name: string, read: () => string) {
    this.name = name
    this.#read = read
  }

  get value(): string {
    return this.#read()
  }

  toString(): string {
    return `[secret ${this.name}]`
  }

  toJSON(): string {
    return this.toString()
  }

  [inspect.custom](): string {
    return this.toString()
  }
}

/** Where the secrets made here come from. */
const sources = new WeakMap<Secret, 'inline' | 'variable' | 'file'>()

function from(source: 'inline' | 'variable' | 'file', made: Secret): Secret {
  sources.set(made, source)
  return made
}

/** The secret itself, or one made of a text that stands in a config. */
export function toSecret(value: string | Secret): Secret {
  if (value instanceof Secret) return value
  return from('inline', new Secret('inline', () => value))
}

/** Whether it was made of a text that stands in a config. */
export function isInline(value: Secret): boolean {
  return sources.get(value) === 'inline'
}

/** Whether one may stand for the other: they come from the same place and hold the same text. */
export function isSameSecret(a: Secret, b: Secret): boolean {
  if (a === b) return true
  const source = sources.get(a)
  return source !== undefined && source === sources.get(b) && a.name === b.name && a.value === b.value
}

interface SecretSource {
  /** From an environment variable. One that is missing or empty is reported as those of `env` are. */
  (name: string): Secret
  /**
   * From a file, as Docker and Kubernetes mount them; the path is from the current folder, a newline at the end is left
   * out. A file that is replaced is picked up within a second, without a reload; while the new one cannot be read or is
   * empty, the old value stays and the log says so.
   */
  file(path: string): Secret
}

/** Secrets, for a config to name while it is evaluated. */
export const secret: SecretSource = Object.assign(fromVariable, { file: fromFile })

function fromVariable(name: string): Secret {
  const value =
    readVariable(name) ?? missingVariable(name, 'take it from a file: secret.file(path)', placeholderText(name))
  return from('variable', new Secret(name, () => value))
}

function fromFile(path: string): Secret {
  const file = resolve(path)
  try {
    return from('file', new Secret(path, followSecretFile(file, path)))
  } catch (error) {
    const message = `cannot read the secret file ${path}: ${whyUnreadable(error)}`
    const placeholder = placeholderText(path)
    return reportFault({ code: 'CONFIG_SECRET_FILE', message }, new Secret(path, () => placeholder), file)
  }
}
