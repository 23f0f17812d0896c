import type { RequestCase } from '../support/request-case.ts'
import { chunkedBodies } from './chunked.ts'
import { connection } from './connection.ts'
import { contentLength } from './content-length.ts'
import { expect, http10, limits, pipelining } from './exchanges.ts'
import { fields } from './fields.ts'
import { hosts } from './host.ts'
import { requestLine } from './request-line.ts'
import { targets } from './targets.ts'
import { trailers } from './trailers.ts'
import { transferEncoding } from './transfer-encoding.ts'

/** Every raw request with its verdict, by topic. */
export const requestCorpus: Readonly<Record<string, readonly RequestCase[]>> = {
  'request line': requestLine,
  target: targets,
  fields,
  Host: hosts,
  'Content-Length': contentLength,
  'Transfer-Encoding': transferEncoding,
  'chunked body': chunkedBodies,
  trailers,
  'Connection and hop-by-hop fields': connection,
  Expect: expect,
  pipelining,
  'HTTP/1.0': http10,
  limits,
}
