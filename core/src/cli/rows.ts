/** Rows of a title and lines beside it, the lines in one column; a title without lines is left out. */
export function rows(table: readonly (readonly [title: string, lines: readonly string[]])[]): string {
  const filled = table.filter(([, lines]) => lines.length > 0)
  const width = Math.max(0, ...filled.map(([title]) => title.length))
  const text = filled.flatMap(([title, lines]) => {
    const [first = '', ...others] = lines.flatMap(line => line.split('\n'))
    return [`${title.padEnd(width)}  ${first}`, ...others.map(line => `${' '.repeat(width)}  ${line}`)]
  })
  return text.map(line => `${line.trimEnd()}\n`).join('')
}

/** Rows of cells as lines whose columns stand below each other. */
export function columns(cells: readonly (readonly string[])[]): string[] {
  const widths = cells.reduce<number[]>(
    (most, row) => row.map((cell, column) => Math.max(cell.length, most[column] ?? 0)),
    [],
  )
  return cells.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
