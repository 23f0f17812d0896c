import { flag, integer, node, seconds, table, texts } from '../table/field.ts'
import { section } from './section.ts'

const keys = table({
  enabled: flag({ says: 'Whether pages of other origins may read answers.', default: false }),
  allowedOrigins: texts({ says: 'Whose pages; "*": of all.', default: ['*'] }),
  allowedMethods: texts({ says: 'Methods that pages may use.' }),
  allowedHeaders: texts({ says: 'Request fields that pages may send; "*": any.', default: ['*'] }),
  exposedHeaders: texts({ says: 'Response fields that pages may read.' }),
  allowCredentials: flag({ says: 'Whether cookies and the like may go along; not with "*".', default: false }),
  maxAge: seconds({
    says: 'How long a browser keeps the answer to a preflight; 0: the default.',
    min: 0,
    default: 86_400,
  }),
  optionsPassthrough: flag({ says: 'Whether preflights go to the upstream as well.', default: false }),
  optionsSuccessStatus: integer({ says: 'The status of an answer to a preflight.', default: 204 }),
})

export const cors = section('cors', keys, (cors, gateway) => {
  if (cors?.enabled?.value !== true) return
  const { allowedOrigins, allowCredentials, maxAge, allowedHeaders } = cors
  const { problems } = gateway
  const origins = allowedOrigins?.value.length ? allowedOrigins : undefined
  const anyone = origins === undefined || origins.value.includes('*')
  if (anyone && allowCredentials?.value) {
    problems.unsupported(
      allowCredentials,
      'with the origin "*" any page could act in a user\'s name; list the origins, and credentials may go along',
    )
  }
  if (cors.optionsPassthrough?.value)
    problems.unsupported(cors.optionsPassthrough, 'preflights are answered here, and reach no upstream')
  if (cors.optionsSuccessStatus && ![0, 204].includes(cors.optionsSuccessStatus.value))
    problems.unsupported(cors.optionsSuccessStatus, 'preflights are answered by 204')
  const options = gateway.plugin('@gateway/cors', 'cors', cors[node])
  options.set('origins', anyone ? (origins?.map(() => '*') ?? '*') : origins)
  options.set('methods', cors.allowedMethods?.value.length ? cors.allowedMethods : undefined)
  const listed = allowedHeaders?.value.length && !allowedHeaders.value.includes('*')
  options.set('headers', listed ? allowedHeaders : undefined)
  options.set('exposedHeaders', cors.exposedHeaders)
  options.set('credentials', anyone ? undefined : allowCredentials)
  options.set('maxAge', maxAge?.value ? maxAge.map(value => `${value}s`) : '86400s')
})
