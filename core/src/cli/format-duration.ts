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

/** How long something has lasted, or will, as exactly as anybody wants to know: whole seconds, after ten minutes minutes. */
export function formatAge(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000))
  return formatDuration((seconds < 600 ? seconds : seconds - (seconds % 60)) * 1_000)
}
