import { type ConfigPath, isRecord } from '../config/issues.ts'
import { each, type Sliced } from '../slices.ts'
import type { Lint } from './finding.ts'
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

/** Quick, since nearly all that a config says is nothing like a secret. */
const anyForm = new RegExp(forms.map(([form]) => form.source).join('|'), 'i')

/**
 * Secrets that stand in the config's own files, by their form or by what their key and they look like. One that was read
 * from the environment or another file stands in none of them. The message never shows it.
 */
export const literalSecrets: Lint = function* (linted, report) {
  const { config, sources } = linted
  const found: { path: ConfigPath; text: string; what: string }[] = []
  // Of keys, most of which come again with each route.
  const words = new Map<unknown, string | undefined>()
  yield* eachString(config, (path, text) => {
    const key = path.at(-1)
    if (!words.has(key)) words.set(key, typeof key === 'string' ? secretWord(key) : undefined)
    const what = kindOf(words.get(key), text)
    if (what !== undefined) found.push({ path: [...path], text, what })
  })
  if (found.length === 0) return
  // What a plugin declares to be a secret is told of already, with the remedy that it offers.
  const declared = new Set<string>()
  yield* inlineSecrets(linted, ({ path }) => declared.add(JSON.stringify(path)))
  for (const { path, text, what } of found) {
    yield
    const place = declared.has(JSON.stringify(path)) ? undefined : placeOf(text, sources())
    if (place === undefined) continue
    const message = `holds ${what}, written in the file for all who can read it: take it from the environment or from a file that is not kept with the config`
    report({ code: 'CONFIG_SECRET_LITERAL', message, path, ...place })
  }
}

type VisitString = (path: ConfigPath, text: string) => void

/** Visits every string of the config with its path as problems give it: one array, which changes from call to call. */
function* eachString(config: unknown, visit: VisitString): Sliced<void> {
  const seen = new Set<object>()
  const path: (string | number)[] = []
  const below = (key: string | number, value: unknown) => {
    path.push(key)
    look(value)
    path.pop()
  }
  const look = (value: unknown) => {
    if (typeof value === 'string') return visit(path, value)
    // A secret that hides itself is an object with a class of its own, which is none of ours to look into.
    if (typeof value !== 'object' || value === null || !isPlain(value) || seen.has(value)) return
    seen.add(value)
    if (Array.isArray(value)) for (const [index, item] of value.entries()) below(index, item)
    else for (const key in value) below(key, Reflect.get(value, key))
  }
  if (!isRecord(config)) return
  const { routes, plugins, ...rest } = config
  look(rest)
  path.push('plugins')
  // What a plugin was given stands in its call.
  if (Array.isArray(plugins))
    for (const [index, item] of plugins.entries()) below(index, isRecord(item) && item.options)
  // Routes may come in several tables.
  path[0] = 'routes'
  for (const table of [routes].flat()) {
    if (isRecord(table)) yield* each(Object.keys(table), name => below(name, table[name]))
  }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** `word`: by which its key names a secret. */
function kindOf(word: string | undefined, text: string): string | undefined {
  const known = anyForm.test(text) ? forms.find(([form]) => form.test(text)) : undefined
  if (known !== undefined) return known[1]
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
