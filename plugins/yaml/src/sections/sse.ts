import type { Rule } from '../build/rule.ts'
import type { Input } from '../ir/make-ir.ts'
import { flag, type GivenOf, integer, node, seconds, table } from '../table/field.ts'
import { pair } from './section.ts'
import { inSeconds, inSecondsOrDefault } from './units.ts'

const quiet = (noEffect: string) => ({ noEffect, quiet: true })

const frontend = table({
  enabled: flag({
    says: 'Whether requests that accept text/event-stream alone are for event streams.',
    default: false,
  }),
  writeTimeout: seconds(quiet('frontend.http.writeTimeout holds for a client that takes nothing')),
  keepaliveTimeout: seconds({ says: 'How long a client hears nothing before a comment is sent.', min: 0, default: 30 }),
  keepAliveInterval: seconds({ says: 'Another name of keepaliveTimeout.', min: 0 }),
  maxConnections: integer({ says: 'Streams of a rule at a time.', min: 0, default: 10_000 }),
  bufferSize: integer(quiet('events pass as they come')),
  tokenValidation: flag({ noEffect: 'a stream that began goes on when its token expires' }),
  tokenCheckInterval: seconds(quiet('a stream that began goes on when its token expires')),
})

const backend = table({
  enabled: flag(quiet('what a rule leads to says that')),
  connectTimeout: seconds({ says: 'To a connection.', min: 0, default: 5 }),
  dialTimeout: seconds({ says: 'Another name of connectTimeout.', min: 0 }),
  readTimeout: seconds({ says: 'How long an instance may say nothing; 0: for ever.', min: 0, default: 300 }),
  responseTimeout: seconds({ says: 'Another name of readTimeout.', min: 0 }),
  writeTimeout: seconds(quiet('a request of an event stream is short')),
  bufferSize: integer(quiet('events pass as they come')),
  flushInterval: integer(quiet('events pass as they come')),
  keepalive: flag(quiet('frontend.sse.keepaliveTimeout is for clients')),
  keepaliveInterval: seconds(quiet('frontend.sse.keepaliveTimeout is for clients')),
  keepaliveTimeout: seconds(quiet('frontend.sse.keepaliveTimeout is for clients')),
  retryInterval: seconds({ says: 'Before a stream that broke off is opened again.', min: 0, default: 1 }),
  reconnectInterval: seconds({ says: 'Another name of retryInterval.', min: 0 }),
  maxRetries: integer({
    says: 'How often in a row a stream that broke off is opened again; 0: never.',
    min: 0,
    default: 0,
  }),
  maxReconnectAttempts: integer({ says: 'Another name of maxRetries.', min: 0 }),
  maxEventSize: integer({ says: 'Bytes of one event.', unit: 'bytes', min: 1, default: 1_048_576 }),
})

/**
 * A rule that takes GET gets a second route for requests of event streams, which have no end that a timeout could wait for.
 * Without `frontend.sse` those rules are for streams that say so.
 */
export const sse = pair(['frontend.sse', frontend], ['backend.sse', backend], (given, upstream, gateway) => {
  const everywhere = given?.enabled?.value === true
  const options = optionsOf(given, upstream)
  const connect = inSecondsOrDefault(upstream?.connectTimeout ?? upstream?.dialTimeout)
  for (const rule of gateway.rules.values()) {
    if (!rule.takes('GET') || !(everywhere || rule.asked.isFor === 'events')) continue
    gateway.plugin('@gateway/sse', 'sse', given?.[node] ?? rule.at)
    addRoutes(rule, options, connect)
  }
})

const accepts = /(?:^|,)\s*text\/event-stream\s*(?:[;,]|$)/i

function addRoutes(rule: Rule, options: Input, connect: Input): void {
  for (const [name, path] of rule.routes) {
    // Whose version stands in the same field, and who asks for it there, asks for no events.
    if (rule.member(name).asks('headers', 'accept')) continue
    const route = rule.variant(name, `${name} (events)`)
    route.set('match', `GET ${path}`)
    route.set('headers.accept', accepts)
    route.set('timeout', { connect, total: 0 })
    route.set('sse', options)
  }
}

function optionsOf(given: GivenOf<typeof frontend> | undefined, upstream: GivenOf<typeof backend> | undefined): Input {
  const attempts = upstream?.maxRetries ?? upstream?.maxReconnectAttempts
  const delay = upstream?.retryInterval ?? upstream?.reconnectInterval
  return {
    heartbeat: inSeconds(given?.keepaliveTimeout ?? given?.keepAliveInterval) ?? '30s',
    idleTimeout: inSeconds(upstream?.readTimeout ?? upstream?.responseTimeout),
    maxConnections: given?.maxConnections,
    maxEventSize: upstream?.maxEventSize,
    reconnect: attempts?.value ? { attempts, delay: inSecondsOrDefault(delay) } : undefined,
  }
}
