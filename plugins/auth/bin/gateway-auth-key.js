#!/usr/bin/env node
// Plain JavaScript without imports at the top, so that a Node too old for the rest can still say so.
const [major] = process.versions.node.split('.')

if (Number(major) < 24) {
  console.error(`gateway-auth-key needs Node 24 or newer; this is v${process.versions.node}`)
  process.exitCode = 2
} else {
  const { main } = await import('../src/make-key.ts')
  process.exitCode = await main(process.argv.slice(2))
}
