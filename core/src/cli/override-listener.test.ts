import { expect, test } from 'vitest'
import { accessLogOn, overrideListener } from './override-listener.ts'

const both = { port: 1, host: '::1' }

test.each([
  [{ routes: {} }, both, { routes: {}, listen: { port: 1, host: '::1' } }],
  [{}, { host: '::1' }, { listen: { port: 8080, host: '::1' } }],
  [{ listen: { port: 80, trust: 'none' } }, { port: 0 }, { listen: { port: 0, trust: 'none' } }],
  [{ listen: [{ port: 80 }, { port: 81 }] }, both, { listen: [both, { port: 81 }] }],
])('%j with %j', (config, override, expected) => {
  const before = structuredClone(config)
  expect(overrideListener(config, override)).toEqual(expected)
  expect(config).toEqual(before)
})

test.each([undefined, null, 3, 'x', [], { listen: 3 }, { listen: [] }, { listen: ['x'] }])(
  '%j is left to who checks it',
  config => {
    expect(overrideListener(config, both)).toBe(config)
  },
)

test('without an override the config is the same object', () => {
  const config = { listen: { port: 80 } }
  expect(overrideListener(config, { port: undefined, host: undefined })).toBe(config)
})

test('the access log is on unless the config says otherwise', () => {
  expect(accessLogOn({})).toEqual({ log: { access: true } })
  expect(accessLogOn({ log: { level: 'warn' } })).toEqual({ log: { level: 'warn', access: true } })
  expect(accessLogOn({ log: { access: false } })).toEqual({ log: { access: false } })
  expect(accessLogOn({ log: 3 })).toEqual({ log: 3 })
})
