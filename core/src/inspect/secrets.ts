import { type ConfigPath, isRecord } from '../config/issues.ts'
import type { Finding, Linted } from './finding.ts'
import { inlineSecrets } from './inline-secrets.ts'
import { secretWord } from './names-secret.ts'

/** What is a secret whatever its key, by the form in which it is issued. */
const forms: readonly (readonly [form: RegExp, what: string])[] = [
  [/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/, 'a private key'],
  [/\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}/, 'a JSON Web Token'],
  [/\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/, 'an AWS access key'],
  [/\b(?:gh[opusr]_[A-Za-z0-9]{36}|github_pat_\w{40,})/, 'a GitHub token'],
  [/\bglpat-[\w-]{20}/, 'a GitLab token'],
  [/\bxox[abeoprs]-[\w-]{10,}/, 'a Slack token'],
  [/\b[rs]k_live_[A-Za-z0-9]{16,}/, 'a Stripe key'],
  [/\bAIza[\w-]{35}/, 'a Google API key'],
  [/\b[a-z][a-z\d+.-]*:\/\/[^/?#@:\s]*:[^/?#@\s]+@/i, 'the password of a URL'],
]

/** Under these any text that is no path and no reference is the secret itself. */
const passwords = new Set(['secret', 'password', 'passwd', 'passphrase', 'pwd'])
const reference = /^\.{0,2}\/|^\$|^[<{]|^[a-z]+:|\.(?:pem|key|crt|p12|pfx|txt|json)$/i

/**
 * Secrets that stand in the config's own files, by their form or by what their key and they look like. One that was read
 * from the environment or another file stands in none of them. The message never shows it.
 */
export function* literalSecrets(linted: Linted): Generator<Finding | undefined> {
  const { config, sources } = linted
  // What a plugin declares to be a secret is told of already, with the remedy that it offers.
  const declared = new Set<string>()
  for (const found of inlineSecrets(linted)) yield found && void declared.add(JSON.stringify(found.path))
  for (const found of strings(config, [], new Set())) {
    const what = found && kindOf(found.path.at(-1), found.text)
    const isKnown = what !== undefined && declared.has(JSON.stringify(found?.path))
    const place = found && what && !isKnown && placeOf(found.text, sources())
    if (!place) {
      yield
      continue
    }
    const message = `holds ${what}, written in the file for all who can read it: take it from the environment or from a file that is not kept with the config`
    yield { code: 'CONFIG_SECRET_LITERAL', message, path: found.path, ...place }
  }
}

interface Text {
  readonly path: ConfigPath
  readonly text: string
}

/** Every string of the config with its path as problems give it; undefined after each object. */
function* strings(value: unknown, path: ConfigPath, seen: Set<object>): Generator<Text | undefined> {
  if (typeof value === 'string') return yield { path, text: value }
  // A secret that hides itself is an object with a class of its own, which is none of ours to look into.
  if (typeof value !== 'object' || value === null || !isPlain(value) || seen.has(value)) return
  seen.add(value)
  for (const [key, item] of Object.entries(value)) {
    const below = Array.isArray(value) ? Number(key) : key
    // Routes may come in several tables, and what a plugin was given stands in its call.
    if (path.length === 1 && path[0] === 'routes' && Array.isArray(value)) yield* strings(item, path, seen)
    else if (path.length === 1 && path[0] === 'plugins') {
      yield* strings(isRecord(item) ? item.options : undefined, [...path, below], seen)
    } else yield* strings(item, [...path, below], seen)
  }
  yield
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function kindOf(key: string | number | undefined, text: string): string | undefined {
  const known = forms.find(([form]) => form.test(text))
  if (known !== undefined) return known[1]
  const word = typeof key === 'string' ? secretWord(key) : undefined
  if (word === undefined || reference.test(text)) return undefined
  if (passwords.has(word) ? text.length >= 4 : text.split(/[\s:._-]+/).some(looksRandom))
    return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`
  return undefined
}

/** Long, of letters and digits, and hardly any of them twice: not the name of a header, a cookie or an environment's variable. */
function looksRandom(part: string): boolean {
  return part.length >= 12 && /\d/.test(part) && /[a-z]/i.test(part) && new Set(part).size >= 8
}

/** Where the text stands between quotes, or in YAML as a word. Not the file's path into the config: a name may have led there. */
function placeOf(text: string, sources: ReadonlyMap<string, string>) {
  const escaped = JSON.stringify(text).slice(1, -1)
  for (const [name, source] of sources) {
    const edge = /\.ya?ml$/.test(name) ? /^(?:['"\s]|$)/ : /^['"`]/
    for (const written of new Set([text, escaped])) {
      for (let at = source.indexOf(written); at !== -1; at = source.indexOf(written, at + 1)) {
        if (!edge.test(source[at - 1] ?? '') || !edge.test(source[at + written.length] ?? '')) continue
        const before = source.slice(0, at)
        const line = before.split('\n').length
        // At the quote, where a problem of a string stands.
        return {
          file: name,
          line,
          column: at - before.lastIndexOf('\n') - (/['"`]/.test(source[at - 1] ?? '') ? 1 : 0),
        }
      }
    }
  }
  return undefined
}
