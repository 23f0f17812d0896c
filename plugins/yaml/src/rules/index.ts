import { authOfRule } from './auth.ts'
import { grpcOfRule } from './grpc.ts'
import { rateLimitOfRule } from './rate-limit.ts'
import type { RulePart } from './rule-part.ts'

/** What a rule may say besides what routing itself reads. Each part maps keys of its own. */
export const ruleParts: readonly RulePart[] = [authOfRule, rateLimitOfRule, grpcOfRule]
