import type { Host } from '@gateway/core'

/** The gateway's, for what outlives a generation. */
export type Clock = Pick<Host['clock'], 'now' | 'after'>
