import { size } from '@gateway/core'
import * as z from 'zod'

const codings = ['zstd', 'br', 'gzip'] as const
export type Coding = (typeof codings)[number]

/** What a route may say, too, in place of what the gateway's options say. */
const shape = {
  /** Which are used, the best first: of those that a client likes the most. Default zstd, br, gzip. */
  codings: z.array(z.enum(codings)).min(1).optional(),
  /** How hard each tries. Default zstd 3 (1 to 19), br 4 (0 to 11), gzip 6 (1 to 9). */
  levels: z
    .strictObject({
      zstd: z.int().min(1).max(19).optional(),
      br: z.int().min(0).max(11).optional(),
      gzip: z.int().min(1).max(9).optional(),
    })
    .optional(),
  /** Media types, `text/*` for all of a kind. Default: text, JSON, XML, JavaScript, SVG, WebAssembly and the like. */
  types: z
    .array(
      z.string().regex(/^[!#$&^_.+\w-]+\/(?:\*|[!#$&^_.+\w-]+)$/, {
        error: ({ input }) => `must be a media type such as 'text/html' or 'text/*', not ${JSON.stringify(input)}`,
      }),
    )
    .optional(),
  /** Shorter bodies are left as they are. Default 1kb. */
  minSize: size().optional(),
  /** Event streams, too, each event at once. Default false. */
  streams: z.boolean().optional(),
  /** What the upstream is asked for: what the client asks, or `'identity'`, so that all is compressed here. Default client. */
  upstream: z.enum(['client', 'identity']).optional(),
}

export const optionsSchema = z
  .strictObject({
    ...shape,
    /** Bodies that are compressed at the same time, in each worker; more pass as they are. Default 256. */
    maxConcurrent: z.int().min(1).default(256),
  })
  .prefault({})

const routeShape = z.strictObject(shape)

export const routeSchema = z.union([z.boolean(), routeShape])

type Given = z.output<typeof routeShape>

export type Options = ReturnType<typeof optionsOf>

/** What holds on a route. */
export function optionsOf(own: Given, everywhere: Given) {
  return {
    codings: own.codings ?? everywhere.codings ?? codings,
    levels: {
      zstd: own.levels?.zstd ?? everywhere.levels?.zstd ?? 3,
      br: own.levels?.br ?? everywhere.levels?.br ?? 4,
      gzip: own.levels?.gzip ?? everywhere.levels?.gzip ?? 6,
    },
    types: own.types ?? everywhere.types,
    minSize: own.minSize ?? everywhere.minSize ?? 1024,
    streams: own.streams ?? everywhere.streams ?? false,
    upstream: own.upstream ?? everywhere.upstream ?? 'client',
  }
}
