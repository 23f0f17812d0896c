/** The listener that a request for this URL comes to: the one of its port, or else the first; of a path, the first. */
export function listenerOfUrl<L extends { readonly port: number }>(
  listeners: readonly L[],
  url: string,
): L | undefined {
  const [first] = listeners
  const named = listeners.length < 2 || url.startsWith('/') ? null : URL.parse(url)
  if (named === null) return first
  const port = Number(named.port || (named.protocol === 'https:' ? 443 : 80))
  return listeners.find(listener => listener.port === port) ?? first
}
