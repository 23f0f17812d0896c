import { anything, either, flag, integer, mapOf, node, number, seconds, table, text } from '../table/field.ts'
import { section } from './section.ts'

const metricsTable = table({
  enabled: flag({ says: 'Whether counts are told in the format of Prometheus.', default: false }),
  path: text({ says: 'Where.', default: '/metrics' }),
  port: integer({ says: 'A port of its own; 0: that of frontend.http.', min: 0, max: 65_535, default: 0 }),
  buckets: anything({ says: 'Bounds of times that are told apart.' }),
  includePathLabel: flag(),
  includeMethodLabel: flag(),
  includeStatusLabel: flag(),
})

const tracingTable = table({
  enabled: flag({ says: 'Whether spans are sent.', default: false }),
  endpoint: text({ says: 'To whom, by OTLP.', default: 'localhost:4318' }),
  headers: mapOf(text(), { says: 'Fields sent along.' }),
  sampleRate: number({ says: 'The part of requests that are traced.', min: 0, max: 1, default: 1 }),
  maxBatchSize: integer({ says: 'Spans that are sent together.', min: 0 }),
  batchTimeout: seconds({ says: 'Until what there is of them is sent.', min: 0 }),
  exporter: text(),
  sampler: text(),
  samplerArg: number(),
})

const telemetryTable = table({
  enabled: flag({ says: 'Whether traces and metrics are made.', default: false }),
  service: either({ scalar: text(), mapping: table({ name: text(), version: text() }) }, { says: 'Who sends them.' }),
  serviceName: text({ says: 'Another name of service.' }),
  version: text({ says: 'Its version.' }),
  tracing: tracingTable,
  metrics: table({ enabled: flag(), exporter: text(), interval: seconds(), path: text(), port: integer() }),
  otlp: anything({ says: 'Another way to write tracing.' }),
  logging: anything(),
})

export const metrics = section('metrics', metricsTable, (given, { problems }) => {
  if (given?.enabled?.value !== true) return
  problems.unsupported(given[node], 'the plugin "metrics" does not exist yet')
})

export const telemetry = section('telemetry', telemetryTable, (given, { problems }) => {
  if (given?.enabled?.value !== true) return
  problems.unsupported(given[node], 'the plugin "telemetry" does not exist yet')
})
