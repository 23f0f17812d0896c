/** Characters. */
const longestLine = 8 * 1024 ** 2

/**
 * JSON values that come on a line each, as many at a time as came together: a burst is one change. What the stream ends
 * with has to be a whole line.
 */
export async function* readJsonLines(stream: NodeJS.ReadableStream): AsyncGenerator<readonly unknown[]> {
  let rest = ''
  // It keeps characters whole that are cut in two.
  stream.setEncoding('utf8')
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) throw new Error(`a line has more than ${longestLine} characters`)
    const values = lines.filter(line => line.trim() !== '').map(line => JSON.parse(line))
    if (values.length > 0) yield values
  }
  if (rest.trim() !== '') throw new Error('it ended in the middle of a line')
}
