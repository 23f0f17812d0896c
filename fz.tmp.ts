import fc from 'fast-check'
import { startRig } from './test/conformance/support/rig.ts'
import { roundTrips } from './test/conformance/fuzz/round-trip.ts'
import { mutatedRequests } from './test/conformance/fuzz/requests.ts'
import { mutatedResponses } from './test/conformance/fuzz/responses.ts'
const rig = await startRig()
const which = { roundTrips, mutatedRequests, mutatedResponses }[process.argv[2]!]!
const t = performance.now()
const r = await fc.check(which(rig) as any, { numRuns: Number(process.argv[3]), ...(process.argv[4] ? {seed: Number(process.argv[4])} : {}) })
console.log(r.numRuns, performance.now() - t)
if (r.failed) { console.log((r.errorInstance as Error)?.message?.slice(0,3000)); console.log(JSON.stringify(r.counterexample).slice(0,1500), 'seed', r.seed)
const c = (r.counterexample as any)[0]
const { mutate } = await import('./test/conformance/fuzz/mutations.ts'); const { write } = await import('./test/conformance/fuzz/messages.ts')
if (c.plans) console.log(JSON.stringify(mutate(c.plans.map((p:any) => write(p, ['Host: a'])).join(''), c.changes)))
if (c.plan) console.log(c.method, JSON.stringify(mutate(c.plan.informational.map((p:any) => write(p)).join('')+write(c.plan), c.changes)))
}
process.exit()
