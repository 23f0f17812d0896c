import { statSync } from 'node:fs'
import type { Log } from '../../contract/host.ts'
import { readSmallFile, whyUnreadable } from './read-small-file.ts'

/** How long a value is taken for the file's without another look, in milliseconds. */
const graceMs = 1_000
/** No secret that anybody meant is larger; Kubernetes allows no more either. */
const maxBytes = 1024 ** 2

/** Who hears of rotations, each with the secret's name. */
export const secretLogs = new Set<Log>()

let looks = 0
/** From here on every secret file is looked at again before its value is used. */
export function lookAgain(): void {
  looks += 1
}

/**
 * A function that returns what a file holds, at most a second late. The file is looked at when it is asked for: no
 * watcher and no timer that somebody would have to close, and a symlink swapped on the way to it, as Kubernetes does with
 * `..data`, is seen like a file renamed into place. What cannot be read, or is empty, leaves the old value in force.
 *
 * @throws when the file cannot be read now
 */
export function followSecretFile(file: string, name: string): () => string {
  let stamp = stampOf(file)
  let text = read(file)
  let lookedAt = performance.now()
  let look = looks
  let complained = false

  function renew(): void {
    const found = stampOf(file)
    if (found === stamp) return
    stamp = found
    try {
      const next = read(file)
      if (next !== text) tell('info', 'a secret was rotated', { secret: name })
      text = next
      complained = false
    } catch (error) {
      if (!complained) {
        tell('warn', 'a secret cannot be read any more, its old value stays', {
          secret: name,
          reason: whyUnreadable(error),
        })
      }
      complained = true
    }
  }

  return () => {
    const now = performance.now()
    if (now - lookedAt >= graceMs || look !== looks) {
      lookedAt = now
      look = looks
      renew()
    }
    return text
  }
}

function tell(level: keyof Log, message: string, fields: object): void {
  for (const log of secretLogs) log[level](message, fields)
}

function read(file: string): string {
  const text = readSmallFile(file, maxBytes)
    .toString()
    .replace(/\r?\n$/, '')
  if (text === '') throw new TypeError('it is empty')
  return text
}

/** What changes when a file is replaced or written to; empty when there is none. */
function stampOf(file: string): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(file)
    return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
  } catch {
    return ''
  }
}
