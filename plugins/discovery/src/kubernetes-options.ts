import { duration } from '@gateway/core'
import * as z from 'zod'

/** Of objects, and so safe in paths and selectors. */
const name = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, { error: "must be a name as Kubernetes has them, such as 'orders'" })

export const kubernetesOptions = z
  .strictObject({
    service: name.optional(),
    selector: z.string().min(1).optional(),
    namespace: name.optional(),
    port: z.union([z.int().min(1).max(65_535), z.string().min(1)]).optional(),
    scheme: z.literal(['http', 'https']).optional(),
    family: z.literal(['IPv4', 'IPv6']).optional(),
    kubeconfig: z.string().min(1).optional(),
    context: z.string().min(1).optional(),
    serviceAccount: z.string().min(1).default('/var/run/secrets/kubernetes.io/serviceaccount'),
    watch: duration({ min: '1s', max: '1h' }).prefault('5m'),
    timeout: duration({ min: '10ms', max: '1m' }).prefault('10s'),
  })
  .superRefine(({ service, selector, kubeconfig, context }, issue) => {
    const complain = (path: string, message: string) => issue.addIssue({ code: 'custom', path: [path], message })
    if (service !== undefined && selector !== undefined) complain('selector', 'cannot go with service: choose one')
    if (context !== undefined && kubeconfig === undefined) complain('context', 'is one of a kubeconfig: name the file')
  })
export type KubernetesOptions = z.output<typeof kubernetesOptions>
