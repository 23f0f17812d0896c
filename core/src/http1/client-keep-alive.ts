const timeoutParameter = /(?:^|[\s,;])timeout\s*=\s*"?(\d+)/i

/**
 * Milliseconds a connection may lie idle after a response with this Keep-Alive field (`timeout=5`, in seconds): a second
 * less than the upstream says, so that no request meets its close on the way. Infinity when it says nothing.
 */
export function keepAliveMs(field: string | undefined): number {
  if (field === undefined) return Infinity
  const seconds = timeoutParameter.exec(field)?.[1]
  return seconds === undefined ? Infinity : Math.max(0, Number(seconds) - 1) * 1_000
}
