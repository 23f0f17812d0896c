import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { properties } from './fuzz/properties.ts'

const usage = `node test/conformance/fuzz.ts [--minutes N] [--seed S] [--only ${Object.keys(properties).join('|')}]

Runs the properties of test/conformance/fuzz in turn for N minutes (default 5), each time with another seed, and stops at
the first counterexample, which it shrinks and prints. What it finds belongs into the corpus as a fixed case.`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Math.trunc(Math.random() * 2 ** 31)) },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const names = values.only === undefined ? Object.keys(properties) : [values.only]
const seconds = Number(values.minutes) * 60
const first = Number(values.seed)
if (values.help || !(seconds > 0) || !Number.isInteger(first) || names.some(name => properties[name] === undefined)) {
  console.error(usage)
  process.exit(values.help ? 0 : 2)
}

const end = performance.now() + seconds * 1000
const done = Object.fromEntries(names.map(name => [name, 0]))
console.log(`seed ${first}`)
for (let round = 0; performance.now() < end; round++) {
  const seed = (first + round) | 0
  for (const name of names) {
    const fuzz = properties[name]
    if (fuzz === undefined || performance.now() >= end) continue
    const { rig, property } = await fuzz.start()
    // Not interrupted when the time is over: a run that is under way would go on behind the gateway's close.
    const result = await fc.check(property, { numRuns: fuzz.runs * 5, seed })
    done[name] = (done[name] ?? 0) + result.numRuns
    if (result.failed) {
      console.error(`${name}: ${await fc.asyncDefaultReportMessage(result)}`)
      console.error(result.errorInstance)
      console.error(`again: node test/conformance/fuzz.ts --only ${name} --seed ${seed}`)
      process.exit(1)
    }
    await rig.close()
  }
  console.log(
    `${Math.max(0, Math.round((end - performance.now()) / 1000))} s left:`,
    names.map(name => `${name} ${done[name]}`).join(', '),
  )
}
