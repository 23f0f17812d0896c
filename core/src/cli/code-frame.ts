import { styleText } from 'node:util'

/** The line itself with one line around it on each side, and a caret under the column. `line` and `column` are 1-based. */
export function codeFrame(source: string, line: number, column: number, options: { color?: boolean } = {}): string {
  const lines = source.split(/\r?\n/)
  const current = lines[line - 1]
  if (current === undefined) return ''
  const first = Math.max(1, line - 1)
  const last = Math.min(lines.length, line + 1)
  const width = String(last).length
  const paint = (format: 'dim' | 'red', text: string) =>
    options.color ? styleText(format, text, { validateStream: false }) : text
  const frame: string[] = []
  for (let number = first; number <= last; number++) {
    const gutter = String(number).padStart(width)
    const marked = number === line ? `${paint('red', '>')} ` : '  '
    frame.push(`${marked}${paint('dim', `${gutter} |`)} ${lines[number - 1] ?? ''}`.trimEnd())
    if (number === line) {
      // Tabs stay tabs, so that the caret stands under its character whatever the terminal's tab width.
      const indent = current.slice(0, column - 1).replace(/[^\t]/g, ' ')
      frame.push(`  ${paint('dim', `${' '.repeat(width)} |`)} ${indent}${paint('red', '^')}`)
    }
  }
  return frame.join('\n')
}
