import type { AnyPlugin } from '../config/config.ts'
import type { WithServices } from '../contract/schema.ts'
import type { Upstream } from './fake-upstream.ts'
import { type TestGateway, type TestGatewayOptions, testGateway } from './test-gateway.ts'

export interface TestPluginOptions<RouteOptions, ServiceOptions> extends Omit<TestGatewayOptions, 'upstreams'> {
  /** What the route says under the plugin's name; without it the route says nothing of it. */
  readonly routeOptions?: RouteOptions
  /** Likewise the service. */
  readonly serviceOptions?: ServiceOptions
  /** Other fields of the route, such as `match`, which is `'ANY /*'` by default. */
  readonly route?: object
  /** Other fields of the service, such as `targets`, which is `['http://upstream.test']` by default. */
  readonly service?: object
  /** Who answers. Default: 200 with the text `ok`. */
  readonly upstream?: Upstream
  /** Plugins that have to stand beside it, such as writers of the slots it needs. */
  readonly beside?: readonly AnyPlugin[]
}

/** The types that a plugin brings into a config. */
type TypesOf<P extends AnyPlugin> = NonNullable<P['~types']>

/**
 * A gateway of one plugin, on the one route `tested` to the one service `upstream`.
 *
 * @throws ConfigProblems as {@link testGateway} does.
 */
export function testPlugin<P extends AnyPlugin>(
  plugin: P,
  options: TestPluginOptions<WithServices<TypesOf<P>['route'], string>, TypesOf<P>['service']> = {},
): Promise<TestGateway> {
  const { routeOptions, serviceOptions, route, service, beside = [], ...rest } = options
  const { upstream = () => new Response('ok'), ...more } = rest
  const named = (given: unknown) => (given === undefined ? {} : { [plugin.name]: given })
  const config = {
    plugins: [...beside, plugin],
    services: { upstream: { targets: ['http://upstream.test'], ...service, ...named(serviceOptions) } },
    routes: { tested: { match: 'ANY /*', service: 'upstream', ...route, ...named(routeOptions) } },
  }
  return testGateway(config, { ...more, upstreams: { upstream } })
}
