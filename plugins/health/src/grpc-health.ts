import type { TargetAnswer, TargetQuestion } from '@gateway/core'

/** `HealthCheckResponse.ServingStatus` of grpc.health.v1, by number. */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** Statuses of gRPC that say something of their own about a health check. */
const meanings: Readonly<Record<string, string>> = {
  5: 'it knows no such service',
  12: 'it has no grpc.health.v1.Health: probe it by tcp',
}

/** `grpc.health.v1.Health/Check`, for a service or, by the empty name, all of the server. */
export function healthCheck(
  service: string,
  timeoutMs: number,
  headers: Readonly<Record<string, string>>,
): TargetQuestion {
  const name = Buffer.from(service)
  // string service = 1. The schema keeps its length below 128, which is one byte of a varint.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a, name.length), name])
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return {
    path: '/grpc.health.v1.Health/Check',
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/grpc', 'Grpc-Timeout': `${Math.ceil(timeoutMs)}m` },
    body: Buffer.concat([prefix, message]),
    timeoutMs,
  }
}

/** What is wrong with its answer. */
export function healthFault({ status, headers, body, trailers }: TargetAnswer): string | undefined {
  // An answer that is trailers alone has them as its head.
  const code = trailers?.get('grpc-status') ?? headers.get('grpc-status')
  if (code === undefined) return `it answered ${status}, and not in gRPC`
  if (code !== '0') return meanings[code] ?? `it answered with gRPC status ${code}`
  const serving = servingStatus(body)
  if (serving === undefined) return 'its answer is no HealthCheckResponse'
  return serving === 1 ? undefined : `it says that it is ${servingStatuses[serving] ?? serving}`
}

/** `ServingStatus status = 1`, the one field of the message; left out when it is 0. Undefined for anything else. */
function servingStatus(body: Buffer): number | undefined {
  const length = body.length - 5
  // A prefix of five bytes: not compressed, since nothing was asked for, and how long the message is.
  if (length < 0 || body[0] !== 0 || body.readUInt32BE(1) !== length) return undefined
  if (length === 0) return 0
  return length === 2 && body[5] === 0x08 ? body[6] : undefined
}
