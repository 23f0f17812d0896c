import { randomBytes } from 'node:crypto'
import { type ConnectionCounts, localCounts } from './connection-counts.ts'

/** What a gateway has in common with the other workers of its process. */
export interface WorkerGroup {
  /** From 0. */
  readonly index: number
  /** Of the generation that is made now. */
  readonly count: number
  /** Others may listen on the same ports. */
  readonly reusePort: boolean
  /** The same in every worker and for the life of the process; 32 bytes. */
  readonly secret: Uint8Array
  /** Zero-filled bytes, the same for all who ask by this name and length until the last of them lets go. */
  memory(name: string, byteLength: number): SharedArrayBuffer
  letGo(name: string, byteLength: number): void
  /** What the others post under this name. */
  channel(name: string, onMessage: (message: unknown, from: number) => void): GroupChannel
  /** Counts of the listener of this name, of all workers together. */
  counts(listener: string): ConnectionCounts
}

export interface GroupChannel {
  /** Does nothing once closed. */
  post(message: unknown): void
  close(): void
}

/** A gateway by itself. */
export function alone(): WorkerGroup {
  return {
    index: 0,
    count: 1,
    reusePort: false,
    secret: randomBytes(32),
    memory: (_, byteLength) => new SharedArrayBuffer(byteLength),
    letGo() {},
    channel: () => ({ post() {}, close() {} }),
    counts: localCounts,
  }
}
