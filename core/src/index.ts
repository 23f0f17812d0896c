/** All that a config or a plugin may import, and the map of the rest. */

export type {
  Certificate,
  GatewaySettings,
  HeaderRules,
  Limits,
  Listener,
  ListenerTls,
  LogOptions,
  Match,
  Method,
  Params,
  PoolLimits,
  Predicate,
  Redirect,
  Timeouts,
} from './config/config.ts'
export type { Config, GatewayDefinition, RouteTable } from './config/define-config.ts'
export { defineConfig, defineGateway } from './config/define-config.ts'
export { env } from './config/environment/env.ts'
export { Secret, secret } from './config/environment/secret.ts'
export { ConfigProblems, type Problem, suggest } from './config/problem.ts'
export { cidr, duration, fieldName, secretText, size, targetSpec, token } from './config/schema.ts'
export type { Duration, Size } from './config/units.ts'
export type {
  BodyFilter,
  BodyStream,
  Client,
  ClientCertificate,
  Context,
  FieldList,
  Forwarded,
  ForwardInit,
  LastingStream,
  Reply,
  ReplyBody,
  ResponseHead,
} from './contract/context.ts'
export {
  type ErrorSource,
  errorTable,
  GatewayError,
  type GatewayErrorCode,
  type GatewayErrorOptions,
} from './contract/errors.ts'
export type {
  Attempt,
  Awaitable,
  Connection,
  GatewayHooks,
  Hedge,
  Outcome,
  Route,
  RouteHooks,
  ServiceHooks,
  ServiceView,
  Summary,
  Target,
  TargetAnswer,
  TargetConnection,
  TargetQuestion,
  Tunnel,
  Verdict,
} from './contract/hooks.ts'
export type {
  Balancer,
  Channel,
  ConnectionCount,
  Connector,
  Counts,
  Discovery,
  Extension,
  Host,
  Log,
  Points,
  RouteSpec,
  Shared,
  TargetSpec,
} from './contract/host.ts'
export {
  type Definition,
  defineExtension,
  definePlugin,
  type NamedService,
  namingServices,
  type Plugin,
  type Stage,
} from './contract/plugin.ts'
export { requestValue, type ValuePlace } from './contract/request-value.ts'
export type { InputOf, NamesServices, OutputOf, Schema, SchemaIssue, SchemaResult } from './contract/schema.ts'
export { defineSlot, type Slot } from './contract/slot.ts'
export type { ExplainRequest, Explanation } from './control/explanation.ts'
export type { SerialisedModel } from './control/serialise-model.ts'
export { type ProblemDetails, problem } from './exchange/problem.ts'
export { createGateway, type Gateway, type GatewayOptions, type GenerationInfo, type ReloadResult } from './gateway.ts'
export { clientNetwork } from './listen/client-network.ts'
export type { ListenerAddress } from './listen/listener.ts'
export { addressTest } from './listen/trust.ts'
export { createLog, silentLog } from './log.ts'
export type { ConnectionInfo } from './tunnel/open-connections.ts'
export type { ServiceInfo, TargetInfo } from './upstream/service-info.ts'
