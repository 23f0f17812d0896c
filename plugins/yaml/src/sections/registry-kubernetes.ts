import type { Builder } from '../build/builder.ts'
import type { Node } from '../read/node.ts'
import { anything, flag, type GivenOf, seconds, table, text } from '../table/field.ts'

const watched = { noEffect: 'what changes is told by the API server at once', quiet: true }

export const kubernetesTable = table({
  namespace: text({ says: 'Of the Services; default: the one that the gateway runs in.' }),
  kubeconfig: text({ says: 'Path of a kubeconfig, for a gateway outside of the cluster.' }),
  context: text({ says: 'One of the contexts in that kubeconfig.' }),
  port: text({ says: 'The port of each Service, by name or number, where it has several.' }),
  inCluster: flag({ noEffect: 'it is so where no kubeconfig is named', quiet: true }),
  resyncInterval: seconds(watched),
  refreshInterval: seconds(watched),
  labelSelector: anything({ noEffect: 'a Service is found by the name that rules call it by' }),
})

/** Services are whatever rules name: each is the Service of that name. */
export function mapKubernetes(given: GivenOf<typeof kubernetesTable> | undefined, at: Node, gateway: Builder): void {
  const { namespace, kubeconfig, context, port } = given ?? {}
  gateway.plugin('@gateway/discovery', 'discovery', at)
  gateway.discover = service =>
    service.set('discover', {
      use: 'kubernetes',
      service: service.name,
      namespace,
      kubeconfig,
      context,
      port: port?.map(name => (/^\d+$/.test(name) ? Number(name) : name)),
    })
}
