/**
 * Whether an object in a JSON text, which is known to be well-formed, has a member twice. JSON.parse takes the last and
 * others the first, so two readers of one token could see two callers (RFC 7515 section 4, RFC 7519 section 4).
 */
export function hasDuplicates(json: string): boolean {
  const open: (Set<string> | undefined)[] = []
  const tokens = json.match(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g) ?? []
  for (const token of tokens) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token.endsWith(':')) {
      const names = open.at(-1)
      // Escapes are another way to write the same name.
      const name = String(JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)))
      if (names?.has(name)) return true
      names?.add(name)
    }
  }
  return false
}
