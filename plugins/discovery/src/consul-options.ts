import { duration, secretText } from '@gateway/core'
import * as z from 'zod'

const agent = z
  .string()
  .refine(isOrigin, { error: "must be an origin: 'http://127.0.0.1:8500', 'https://consul.test'" })

export const consulOptions = z
  .strictObject({
    service: z.string().min(1).optional(),
    agents: z.array(agent).min(1).prefault(['http://127.0.0.1:8500']),
    token: secretText().optional(),
    tls: z
      .strictObject({
        ca: z.string().optional(),
        cert: z.string().optional(),
        key: secretText().optional(),
        serverName: z.string().min(1).optional(),
      })
      .optional(),
    datacenter: z.string().min(1).optional(),
    namespace: z.string().min(1).optional(),
    partition: z.string().min(1).optional(),
    tags: z.array(z.string().min(1)).default([]),
    filter: z.string().min(1).optional(),
    consistency: z.literal(['default', 'consistent', 'stale']).default('default'),
    warning: z.boolean().default(false),
    scheme: z.literal(['http', 'https']).default('http'),
    wait: duration({ min: '10ms', max: '10m' }).prefault('5m'),
    timeout: duration({ min: '10ms', max: '1m' }).prefault('10s'),
  })
  .superRefine(({ agents, tls }, issue) => {
    const complain = (path: string[], message: string) => issue.addIssue({ code: 'custom', path, message })
    if (tls !== undefined && !agents.some(each => each.startsWith('https:'))) {
      complain(['tls'], 'needs agents that are asked by https')
    }
    if ((tls?.cert === undefined) !== (tls?.key === undefined)) complain(['tls'], 'takes cert and key only together')
  })
export type ConsulOptions = z.output<typeof consulOptions>

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
}
