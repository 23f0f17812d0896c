/** Runs in the gateway's process ahead of it, and tells reload.ts how long its event loop was blocked. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolution = 1
const delays = monitorEventLoopDelay({ resolution })
delays.enable()

process.on('message', () => {
  process.send?.(Math.max(0, delays.max / 1e6 - resolution))
  delays.reset()
})
// However the bench ended, its gateway goes with it.
process.on('disconnect', () => process.exit())
