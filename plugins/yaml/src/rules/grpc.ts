import type { Builder } from '../build/builder.ts'
import type { Rule } from '../build/rule.ts'
import { anything, flag, integer, mapOf, table, text, texts } from '../table/field.ts'
import { rulePart } from './rule-part.ts'

const grpcTable = table({
  service: text({ says: 'The gRPC service that is called.' }),
  method: text({ says: 'Its method.' }),
  enableTranscoding: flag({ says: 'Whether JSON of clients is made gRPC of.', default: false }),
  transcoding: anything({ says: 'How JSON is made gRPC of.' }),
  transcodingRules: mapOf(text(), { says: 'Methods by method and path of HTTP.' }),
  protoDescriptor: text({ says: 'Path of a FileDescriptorSet.' }),
  protoDescriptorBase64: text({ says: 'A FileDescriptorSet, in base64.' }),
  dynamicDescriptors: table({
    files: texts(),
    directories: texts(),
    autoReload: flag(),
    reloadInterval: integer(),
  }),
})

const keys = {
  grpc: grpcTable,
  transcoding: anything({ says: 'How JSON is made gRPC of.' }),
  backend: text({ says: 'What instances speak.', default: 'http', oneOf: ['http', 'grpc'] }),
} as const

/** gRPC passes as it is, over HTTP/2. */
export const grpcOfRule = rulePart(keys, ({ grpc, transcoding, backend }, rule, gateway) => {
  if (grpc !== undefined || backend?.value === 'grpc') speakGrpc(rule, gateway)
  const json = grpc?.enableTranscoding?.value === true ? grpc.enableTranscoding : (grpc?.transcoding ?? transcoding)
  if (json === undefined) return
  gateway.problems.unsupported(json, 'the plugin "grpc", which makes gRPC of JSON, does not exist yet')
})

/** A service that rules have gRPC with. */
export function speakGrpc({ asked }: Rule, gateway: Builder): void {
  gateway.service(asked.service)?.set('protocol', 'http2')
}
