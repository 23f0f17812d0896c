import { GatewayError } from '@gateway/core'
import * as z from 'zod'

/** Statuses, or all of a class. */
export const statusList = () => z.array(z.union([z.int().min(100).max(599), z.literal(['4xx', '5xx'])])).min(1)

/** Which answers are failures: by default those that say that there is something wrong with the server. */
export function failureTest(
  statuses: z.output<ReturnType<typeof statusList>> | undefined,
): (status: number) => boolean {
  if (statuses === undefined) return status => status >= 500 && status !== 501 && status !== 505
  const wanted = new Set<number | string>(statuses)
  return status => wanted.has(status) || wanted.has(status >= 500 ? '5xx' : status >= 400 ? '4xx' : '')
}

/** No answer came, or none in time; not that the client left or a plugin failed, which says nothing of the upstream. */
export const isUpstreams = (error: unknown) => error instanceof GatewayError && error.source === 'upstream'
