import { definePlugin, duration, type Host, problem, type Shared } from '@gateway/core'
import * as z from 'zod'
import { Pressure, priorities } from './pressure.ts'

const priority = z.literal(priorities)

const optionsSchema = z
  .strictObject({
    maxLag: duration({ min: '5ms', max: '10s' }).prefault('100ms'),
    /** Of routes that do not say. */
    priority: priority.default('normal'),
  })
  .prefault({})

const routeSchema = z.strictObject({ priority })

/**
 * Turns requests away while the event loop lags, the less important first: what is left is answered in time. A gateway that
 * takes more than it can do is late for all.
 */
export const loadShedding = definePlugin({
  name: 'loadShedding',
  // Before anything is spent on a request.
  stage: 'guard',
  options: optionsSchema,
  routeOptions: routeSchema,
  alwaysOn: true,
  setup(host, options) {
    const { pressure } = host.share(lagMeter(options.maxLag, host.log))
    return {
      onRoute({ options: { priority } = options }) {
        if (priority === 'critical') return
        return {
          onRequest(ctx) {
            if (!pressure.sheds(priority, Math.random())) return
            return problem(ctx, {
              status: 503,
              code: 'LOAD_SHED',
              title: 'Service unavailable',
              headers: { 'Retry-After': '1' },
            })
          },
        }
      },
    }
  },
})

const intervalMs = 50

/** One timer a worker, whose lateness is the event loop's. Real time, whatever the clock of the gateway. */
function lagMeter(maxLagMs: number, log: Host['log']): Shared<{ pressure: Pressure; timer: NodeJS.Timeout }> {
  return {
    name: `loadShedding.pressure ${maxLagMs}`,
    create() {
      const pressure = new Pressure(maxLagMs)
      let last = performance.now()
      const timer = setInterval(() => {
        const now = performance.now()
        const before = pressure.level
        pressure.measure(Math.max(0, now - last - intervalMs))
        last = now
        if (before === 0 && pressure.level > 0) log.warn('load is shed', { lagMs: Math.round(pressure.lagMs) })
        if (before > 0 && pressure.level === 0) log.info('load is shed no more')
      }, intervalMs).unref()
      return { pressure, timer }
    },
    close: ({ timer }) => clearInterval(timer),
  }
}
