/** Directives of a Cache-Control field by lower-case name, '' for one without an argument. */
export type Directives = ReadonlyMap<string, string>

const none: Directives = new Map()

// What follows an item up to its comma is no part of the grammar and is passed over.
const item = /([^\t ,="]+)(?:=(?:"((?:[^"\\]|\\.)*)"?|([^\t ,"]*)))?[^,]*/y

/**
 * Reads a Cache-Control field (RFC 9111 section 5.2): tokens, with tokens or quoted strings for arguments. Of a directive
 * that stands there twice the first counts (section 4.2.1).
 */
export function parseDirectives(field: string | undefined): Directives {
  if (field === undefined) return none
  const found = new Map<string, string>()
  let at = 0
  while (at < field.length) {
    // One by one: an expression that skips them would try again from each, and clients may send thousands.
    if ('\t ,'.includes(field.charAt(at))) {
      at++
      continue
    }
    item.lastIndex = at
    const [all, name = '', quoted, token = ''] = item.exec(field) ?? ['']
    // No item begins here: the next comma ends whatever it is.
    if (all === '') {
      const comma = field.indexOf(',', at + 1)
      if (comma === -1) break
      at = comma
    } else {
      at = item.lastIndex
      if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? token)
    }
  }
  return found
}

/** About 68 years, which section 1.2.2 allows for "infinite". */
const mostSeconds = 2 ** 31

/** The argument of a directive in milliseconds. What is no number of seconds counts as 0, for it must not be trusted. */
export function deltaMs(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name)
  if (argument === undefined) return undefined
  return /^\d+$/.test(argument) ? Math.min(Number(argument), mostSeconds) * 1000 : 0
}
