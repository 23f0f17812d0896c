import { createHash, timingSafeEqual } from 'node:crypto'
import { type Context, problem, type Reply, type Secret } from '@gateway/core'
import { placeOf } from './cache-key.ts'
import type { Purge } from './store.ts'

/**
 * Answers a purge: the query says what goes, `path` or `prefix`, of one `host` or of all; `all` alone is everything.
 * `purge` tells how many answers went in this worker.
 */
export function purgeReply(ctx: Context, token: Secret, purge: (where: Purge) => number): Reply {
  if (!shows(ctx.headers.get('authorization') ?? '', token.value)) {
    const headers = { 'WWW-Authenticate': 'Bearer realm="cache"' }
    return problem(ctx, { status: 401, code: 'CACHE_PURGE_UNAUTHORIZED', title: 'Unauthorized', headers })
  }
  const where = whereOf(new URLSearchParams(ctx.query))
  if (where === undefined) {
    const detail = 'write path=/exact/path, prefix=/paths/ or all, and host=name where one host alone is meant'
    return problem(ctx, { status: 400, code: 'CACHE_PURGE_INVALID', title: 'Not a purge', detail })
  }
  const purged = purge(where)
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return { status: 200, headers, body: `${JSON.stringify({ purged })}\n` }
}

function whereOf(query: URLSearchParams): Purge | undefined {
  const host = query.get('host')?.toLowerCase()
  const path = query.get('path') ?? undefined
  const prefix = query.get('prefix') ?? undefined
  const all = query.has('all') ? '/' : undefined
  const ways = [path, prefix, all].filter(way => way !== undefined)
  if (ways.length !== 1 || !ways[0]?.startsWith('/')) return undefined
  if (host !== undefined && path !== undefined) return { place: placeOf(host, path) }
  return { host, path, prefix: prefix ?? all }
}

/** In a time that says nothing of the token. */
function shows(authorization: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(authorization.replace(/^bearer +/i, '')), digest(token))
}
