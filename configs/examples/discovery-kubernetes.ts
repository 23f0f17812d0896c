// Pods of a Service, and those of all Services with a label, from outside of the cluster. In a pod no kubeconfig is needed.
import { defineConfig, env } from '@gateway/core'
import { discovery } from '@gateway/discovery'

const kubeconfig = env.string('KUBECONFIG', { default: '/etc/gateway/kubeconfig' })

export default defineConfig({
  listen: { port: 8080 },
  plugins: [discovery()],
  services: {
    orders: { discover: { use: 'kubernetes', kubeconfig } },
    web: { discover: { use: 'kubernetes', kubeconfig, selector: 'team=web', namespace: 'shop', port: 'http' } },
  },
  routes: {
    orders: { match: 'ANY /orders/*', service: 'orders' },
    web: { match: 'ANY /web/*', service: 'web' },
  },
})
