/** For people: `web or sockets`. */
export function listenersText(names: readonly string[]): string {
  return names.map(name => (name === '' ? 'one without a name' : name)).join(' or ')
}
