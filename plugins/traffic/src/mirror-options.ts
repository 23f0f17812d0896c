import { duration, fieldName, type NamesServices, namingServices, size } from '@gateway/core'
import * as z from 'zod'
import { percent } from './chance.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const mirror = z.strictObject({
  to: z.string(),
  percent: percent.default(100),
  methods: z.array(z.enum(methods)).min(1).optional(),
  maxBody: size({ max: '16mb' }).prefault('64kb'),
  maxInFlight: z.int().min(1).max(100_000).default(64),
  timeout: duration({ min: '1ms', max: '1h' }).prefault('10s'),
  header: fieldName().default('X-Mirrored'),
  withhold: z.array(fieldName()).default([]),
})

export type Mirror = z.output<typeof mirror>

export interface MirrorOptions<Service extends string> extends Omit<z.input<typeof mirror>, 'to'> {
  /** The service that gets the copies. */
  readonly to: Service
}

export interface Names extends NamesServices {
  readonly options: MirrorOptions<this['service']>
}

export const mirrorSchema = namingServices<Names>()(mirror)
