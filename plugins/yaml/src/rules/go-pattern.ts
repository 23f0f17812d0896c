/** A regular expression of Go, as far as JavaScript says the same in other words. Throws what RegExp throws. */
export function goPattern(written: string, flags = ''): RegExp {
  const [start = '', words = ''] = /^\(\?([ims]+)\)/.exec(written) ?? []
  const source = written.slice(start.length).replaceAll('(?P<', '(?<').replace(/^\\A/, '^').replace(/\\z$/, '$')
  return new RegExp(source, [...new Set(flags + words)].join(''))
}
