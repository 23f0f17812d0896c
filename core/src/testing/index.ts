/** What a config or a plugin is tested with; published as `@gateway/testing`. Works with any test runner. */

export { expectNoLeak, type LeakOptions } from './expect-no-leak.ts'
export type { Upstream } from './fake-upstream.ts'
export { type PluginCase, type PluginSuiteOptions, pluginSuite } from './plugin-suite.ts'
export type { TestClock } from './test-clock.ts'
export {
  type LogLine,
  type TestGateway,
  type TestGatewayOptions,
  type TestRequestInit,
  type TestRoute,
  testGateway,
} from './test-gateway.ts'
export { type TestPluginOptions, testPlugin } from './test-plugin.ts'
export { hang, refuse, reset, unreachable } from './upstream-failure.ts'
