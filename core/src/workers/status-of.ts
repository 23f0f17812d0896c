import type { Kernel } from '../gateway.ts'
import type { WorkerStatus } from './messages.ts'

/** How a worker is; one that has no config yet has nothing to tell. */
export function statusOf(kernel: Kernel | undefined): WorkerStatus {
  const { generations = [], services = [], connectionCounts: connections = [] } = kernel ?? {}
  return { generations, services, connections }
}
