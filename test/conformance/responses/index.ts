import type { ResponseCase } from '../support/response-case.ts'
import { responseChunks, responseFraming } from './bodies.ts'
import { bodiless, early, informational } from './exchanges.ts'
import { responseFields, statusLine } from './heads.ts'

/** Every raw response of an upstream with its verdict, by topic. */
export const responseCorpus: Readonly<Record<string, readonly ResponseCase[]>> = {
  'status line': statusLine,
  'response fields': responseFields,
  'response framing': responseFraming,
  'response chunks': responseChunks,
  'no body': bodiless,
  'informational responses': informational,
  'early responses': early,
}
