import { duration, secretText } from '@gateway/core'
import * as z from 'zod'

export const dockerOptions = z
  .strictObject({
    service: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    prefix: z
      .string()
      .regex(/^[\w-]+(\.[\w-]+)*$/, { error: "must be the beginning of labels, such as 'gateway'" })
      .default('gateway'),
    host: z
      .string()
      .refine(isEngine, {
        error: "must be a socket or an origin: 'unix:///var/run/docker.sock', 'tcp://10.0.0.5:2376'",
      })
      .default('unix:///var/run/docker.sock'),
    tls: z.strictObject({ ca: z.string(), cert: z.string(), key: secretText() }).optional(),
    network: z.string().min(1).optional(),
    published: z.boolean().default(false),
    port: z.int().min(1).max(65_535).optional(),
    routes: z.boolean().default(false),
    resync: duration({ min: '10ms', max: '1h' }).prefault('30s'),
  })
  .superRefine(({ host, tls, network, published }, issue) => {
    const complain = (path: string, message: string) => issue.addIssue({ code: 'custom', path: [path], message })
    if (tls !== undefined && host.startsWith('unix:')) complain('tls', 'is not spoken over a socket of this machine')
    if (published && network !== undefined) complain('published', 'cannot go with network: choose one')
  })
export type DockerOptions = z.output<typeof dockerOptions>

function isEngine(text: string): boolean {
  if (text.startsWith('unix:')) return /^unix:\/\/\/./.test(text)
  const url = URL.parse(text)
  const isBare =
    url !== null && /^\/?$/.test(url.pathname) && url.search === '' && url.hash === '' && url.username === ''
  return isBare && /^(?:tcp|https?):\/\/./.test(text)
}
