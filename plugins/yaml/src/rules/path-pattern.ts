/** A rule's path in the gateway's own notation, or why it has none. */
export type PathPattern = { readonly paths: readonly string[] } | { readonly error: string }

/**
 * Reads a path as the Go program does: `:name` and `{name}` are a segment, `/*` and `{name...}` the rest, a trailing slash
 * the whole subtree with its root, `{$}` a trailing slash and no more.
 */
export function readPath(text: string): PathPattern {
  if (!text.startsWith('/')) return { error: `must begin with a slash: write "/${text}"` }
  const parts = text.slice(1).split('/')
  const last = parts.at(-1) ?? ''
  const inner = parts.slice(0, -1).map(segmentOf)
  const base = `/${inner.join('/')}`.replace(/\/$/, '')
  const below = `${base}/*`
  if (last === '' && inner.length > 0) return { paths: [below, base] }
  if (last === '' || last === '*' || /^\{\w+\.\.\.\}$/.test(last)) return { paths: [below] }
  if (last === '{$}') return { paths: [`${base}/`] }
  if (last.endsWith('*')) return { error: `"*" must be a whole segment: write "${base}/${last.slice(0, -1)}/*"` }
  return { paths: [`${base}/${segmentOf(last)}`] }
}

function segmentOf(part: string): string {
  const name = /^\{(\w+)\}$/.exec(part)?.[1]
  return name === undefined ? part : `:${name}`
}
