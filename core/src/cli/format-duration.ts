const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** As a config writes it, in the largest unit that leaves no rest: `90s`, `1500ms`. */
export function formatDuration(ms: number): string {
  const [unit, size] = units.find(([, factor]) => ms > 0 && ms % factor === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
