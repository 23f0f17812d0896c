// Types of what a config takes from its environment.
import { defineConfig, definePlugin, env, type OutputOf, Secret, secret, secretText } from '@gateway/core'
import * as z from 'zod'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const assert = <_T extends true>() => undefined

const stage = env.string('STAGE', { oneOf: ['dev', 'prod'], default: 'dev' })
assert<Equal<typeof stage, 'dev' | 'prod'>>()
const name = env.string('NAME')
assert<Equal<typeof name, string>>()
// @ts-expect-error a default beyond the choices
env.string('STAGE', { oneOf: ['dev', 'prod'], default: 'test' })
// @ts-expect-error nothing tells that it is one of these
const guess: 'dev' | 'prod' = env.string('STAGE')
// @ts-expect-error a default of another type
env.number('PORT', { default: '8080' })
// @ts-expect-error no duration
env.duration('WAIT', { default: '10x' })
// @ts-expect-error a secret is no text
const text: string = secret('TOKEN')

const options = z.strictObject({ token: secretText(), old: secretText().optional() })
assert<Equal<OutputOf<typeof options>['token'], Secret>>()
const plugin = definePlugin({ name: 'plugin', options, setup() {} })
// @ts-expect-error neither text nor a secret
plugin({ token: 5 })

export default defineConfig({
  listen: {
    port: env.number('PORT', { default: 8080 }),
    limits: { headTimeout: env.duration('WAIT', { default: '10s' }), headSize: env.size('HEAD', { default: '16kb' }) },
    tls: { cert: 'cert.pem', key: secret.file('/run/secrets/key.pem') },
  },
  plugins: [plugin({ token: secret('TOKEN'), old: 'text' })],
  services: {
    dev: { targets: [env.url('UPSTREAM')], preserveHost: env.boolean('KEEP', { default: false }) },
    prod: { targets: ['https://a.test'], tls: { cert: '…', key: new Secret('vault', () => '…') } },
  },
  routes: { all: { match: 'ANY /*', service: stage } },
})

export { guess, text }
