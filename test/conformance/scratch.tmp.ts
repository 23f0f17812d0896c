import fc from 'fast-check'
import { deadlines } from '../../core/src/http1/deadlines.ts'
import { properties } from './fuzz/properties.ts'

const owners = new Set<any>()
const { add, remove } = deadlines as any
;(deadlines as any).add = function (o: any) {
  owners.add(o)
  o.__at = new Error().stack
  add.call(this, o)
}
;(deadlines as any).remove = function (o: any) {
  owners.delete(o)
  remove.call(this, o)
}
for (let i = 0; i < 12; i++)
  for (const name of process.argv.slice(2)) {
    const { rig, property } = await properties[name]!.start()
    const r = await fc.check(property, { numRuns: properties[name]!.runs * 5, endOnFailure: true })
    if (r.failed) {
      console.log(name, r.errorInstance, JSON.stringify(r.counterexample))
      process.exit(1)
    }
    try {
      await rig.close()
    } catch (e) {
      console.log(name, i, deadlines.size)
      for (const o of owners) {
        console.log(o)
        console.log(o.__at)
      }
      await new Promise(r => setTimeout(r, 100))
      console.log('later', deadlines.size)
      process.exit(1)
    }
    console.log(name, i, 'ok')
  }
