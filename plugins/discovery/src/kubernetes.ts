import { resolve } from 'node:path'
import { defineProvider } from './define-provider.ts'
import { readTargets } from './endpoint-slice.ts'
import { kubernetesOptions } from './kubernetes-options.ts'
import { watchSlices } from './kubernetes-watch.ts'

/** Targets from the EndpointSlices of a Service, or of all Services with some labels. */
export const kubernetes = defineProvider({
  name: 'kubernetes',
  options: kubernetesOptions,
  asked: ({ service, selector, namespace, kubeconfig, context, serviceAccount, watch, timeout }, name) => ({
    // The controller gives slices the labels of their Service, so these need not be watched, too.
    selector: selector ?? `kubernetes.io/service-name=${service ?? name}`,
    namespace,
    kubeconfig: kubeconfig === undefined ? undefined : resolve(kubeconfig),
    context,
    serviceAccount,
    watch,
    timeout,
  }),
  open: watchSlices,
  targets: (found: readonly unknown[], options, _service, leaveOut) => readTargets(found, options, leaveOut),
})
