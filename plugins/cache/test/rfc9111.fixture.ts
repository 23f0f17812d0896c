import { httpDate } from './support.ts'

interface Case {
  readonly name: string
  /** Options of the route. */
  readonly options: unknown
  /** Lines of every answer of the upstream; its body is the request's number. */
  readonly upstream: readonly string[]
  readonly steps: readonly Step[]
}

interface Step {
  /** Seconds since the one before. */
  readonly after: number
  readonly request: string
  readonly fields: readonly string[]
  /** Status, body and Cache-Status of what comes. */
  readonly told: string
}

/** Fields stand between bars, `@10` is the date ten seconds from the start, and `+10` lets so many seconds pass. */
const table = `
# RFC 9111 section 3: what is kept
max-age
  upstream Cache-Control: max-age=60
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / -> 200 #1 hit; ttl=60
nothing said
  upstream
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
a validator alone
  upstream ETag: "a"
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
no-store
  upstream Cache-Control: max-age=60, no-store
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
private
  upstream Cache-Control: max-age=60, private
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
private of a field
  upstream Cache-Control: private="x-a", max-age=60
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
must-understand
  upstream Cache-Control: max-age=60, no-store, must-understand
  GET / -> 200 #1 fwd=uri-miss; stored
on several lines
  upstream Cache-Control: max-age=60 | Cache-Control: no-store
  GET / -> 200 #1 fwd=uri-miss
no-store in quotes
  upstream Cache-Control: x="no-store", max-age=60
  GET / -> 200 #1 fwd=uri-miss; stored
a cookie set
  upstream Cache-Control: max-age=60 | Set-Cookie: a=b
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
public without a time
  upstream Cache-Control: public
  GET / -> 200 #1 fwd=uri-miss

# Section 4.2: how long it is fresh
max-age, over
  upstream Cache-Control: max-age=60
  GET / -> 200 #1 fwd=uri-miss; stored
  +59 GET / -> 200 #1 hit; ttl=1
  +1 GET / -> 200 #2 fwd=stale; stored
s-maxage before max-age
  upstream Cache-Control: max-age=1, s-maxage=60
  GET / -> 200 #1 fwd=uri-miss; stored
  +30 GET / -> 200 #1 hit; ttl=30
max-age before Expires
  upstream Cache-Control: max-age=60 | Expires: @5
  GET / -> 200 #1 fwd=uri-miss; stored
  +30 GET / -> 200 #1 hit; ttl=30
Expires against Date
  upstream Date: @0 | Expires: @10
  GET / -> 200 #1 fwd=uri-miss; stored
  +9 GET / -> 200 #1 hit; ttl=1
  +1 GET / -> 200 #2 fwd=stale; stored
Expires: 0
  upstream Expires: 0
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
Expires that is no date
  upstream Expires: 2099
  GET / -> 200 #1 fwd=uri-miss
max-age that is no number
  upstream Cache-Control: max-age=1e9 | Expires: @99
  GET / -> 200 #1 fwd=uri-miss
max-age twice
  upstream Cache-Control: max-age=10, max-age=60
  GET / -> 200 #1 fwd=uri-miss; stored
  +11 GET / -> 200 #2 fwd=stale; stored
max-age in quotes
  upstream Cache-Control: max-age="60"
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / -> 200 #1 hit; ttl=60
max-age without end
  upstream Cache-Control: max-age=99999999999999999999
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / -> 200 #1 hit; ttl=2147483648
Age
  upstream Cache-Control: max-age=60 | Age: 50
  GET / -> 200 #1 fwd=uri-miss; stored
  +9 GET / -> 200 #1 hit; ttl=1
  +1 GET / -> 200 #2 fwd=stale; stored
Date in the past
  upstream Cache-Control: max-age=60 | Date: @-50
  GET / -> 200 #1 fwd=uri-miss; stored
  +9 GET / -> 200 #1 hit; ttl=1
no heuristic
  upstream Last-Modified: @-1000
  GET / -> 200 #1 fwd=uri-miss
heuristic, asked for
  options {"heuristic": true}
  upstream Last-Modified: @-1000
  GET / -> 200 #1 fwd=uri-miss; stored
  +99 GET / -> 200 #1 hit; ttl=1

# Section 4.3: validation
a tag that is confirmed
  upstream Cache-Control: max-age=9 | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  +9 GET / -> 200 #1 fwd=stale; fwd-status=304; stored
  +8 GET / -> 200 #1 hit; ttl=1
no-cache with a tag
  upstream Cache-Control: no-cache | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / -> 200 #1 fwd=stale; fwd-status=304; stored
no-cache without
  upstream Cache-Control: no-cache, max-age=60
  GET / -> 200 #1 fwd=uri-miss
the client has it
  upstream Cache-Control: max-age=9 | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  +1 GET / | If-None-Match: "b", W/"a" -> 304 - hit; ttl=8
  GET / | If-None-Match: "b" -> 200 #1 hit; ttl=8
  GET / | If-None-Match: * -> 304 - hit; ttl=8
  +8 GET / | If-None-Match: "a" -> 304 - fwd=stale; fwd-status=304; stored
the client has it, by date
  upstream Cache-Control: max-age=9 | Last-Modified: @-5
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / | If-Modified-Since: @-5 -> 304 - hit; ttl=9
  GET / | If-Modified-Since: @-6 -> 200 #1 hit; ttl=9
  GET / | If-Modified-Since: @0 | If-None-Match: "x" -> 200 #1 hit; ttl=9
conditions for the origin alone
  upstream Cache-Control: max-age=9
  GET / | If-Match: "a" -> 200 #1 fwd=bypass
  GET / | If-Unmodified-Since: @0 -> 200 #2 fwd=bypass

# Section 4.1: Vary
Vary
  upstream Cache-Control: max-age=9 | Vary: X-A, x-b
  GET / | X-A: 1 -> 200 #1 fwd=uri-miss; stored
  GET / | X-A: 1 -> 200 #1 hit; ttl=9
  GET / | X-A: 2 -> 200 #2 fwd=vary-miss; stored
  GET / | X-A: 1 | X-B: 1 -> 200 #3 fwd=vary-miss; stored
  GET / | x-a: 1 -> 200 #1 hit; ttl=9
  GET / | X-A: 2 -> 200 #2 hit; ttl=9
Vary, spaces apart
  upstream Cache-Control: max-age=9 | Vary: X-A
  GET / | X-A: 1, 2 -> 200 #1 fwd=uri-miss; stored
  GET / | X-A: 1,2 -> 200 #1 hit; ttl=9
  GET / | X-A: 1 | X-A: 2 -> 200 #1 hit; ttl=9
Vary: *
  upstream Cache-Control: max-age=9 | Vary: X-A, *
  GET / -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss
Vary by what the gateway writes
  upstream Cache-Control: max-age=9 | Vary: X-Forwarded-For
  GET / -> 200 #1 fwd=uri-miss

# Section 3.5: whose answer it is
Authorization
  upstream Cache-Control: max-age=9
  GET / | Authorization: a -> 200 #1 fwd=uri-miss
  GET / | Authorization: a -> 200 #2 fwd=uri-miss
  GET / -> 200 #3 fwd=uri-miss; stored
  GET / | Authorization: a -> 200 #4 fwd=vary-miss
Authorization, public
  upstream Cache-Control: max-age=9, public
  GET / | Authorization: a -> 200 #1 fwd=uri-miss; stored
  GET / -> 200 #1 hit; ttl=9
Authorization, s-maxage
  upstream Cache-Control: s-maxage=9
  GET / | Authorization: a -> 200 #1 fwd=uri-miss; stored
  GET / | Authorization: b -> 200 #1 hit; ttl=9
Authorization, shared
  options {"shared": true}
  upstream Cache-Control: max-age=9
  GET / | Authorization: a -> 200 #1 fwd=uri-miss; stored
  GET / | Authorization: b -> 200 #1 hit; ttl=9
Authorization in the key
  options {"key": {"headers": ["authorization"]}}
  upstream Cache-Control: max-age=9
  GET / | Authorization: a -> 200 #1 fwd=uri-miss; stored
  GET / | Authorization: a -> 200 #1 hit; ttl=9
  GET / | Authorization: b -> 200 #2 fwd=uri-miss; stored
  GET / -> 200 #3 fwd=uri-miss; stored
a cookie
  upstream Cache-Control: max-age=9
  GET / | Cookie: a=1 -> 200 #1 fwd=uri-miss; stored
  GET / | Cookie: a=2 -> 200 #1 hit; ttl=9
a cookie where only ttl says so
  options {"ttl": "9s"}
  upstream
  GET / | Cookie: a=1 -> 200 #1 fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss; stored
  GET / | Cookie: a=1 -> 200 #3 fwd=vary-miss
a cookie in the key
  options {"ttl": "9s", "key": {"cookies": ["a"]}}
  upstream
  GET / | Cookie: a=1; b=1 -> 200 #1 fwd=uri-miss; stored
  GET / | Cookie: b=2; a=1 -> 200 #1 hit; ttl=9
  GET / | Cookie: a=2 -> 200 #2 fwd=uri-miss; stored

# Section 4.2.4 and RFC 5861: stale answers
stale-while-revalidate
  upstream Cache-Control: max-age=9, stale-while-revalidate=5
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 hit; ttl=-1
  GET / -> 200 #2 hit; ttl=9
  +14 GET / -> 200 #3 fwd=stale; stored
stale-while-revalidate beside s-maxage
  upstream Cache-Control: s-maxage=9, stale-while-revalidate=5
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 hit; ttl=-1
stale-while-revalidate by option
  options {"staleWhileRevalidate": "5s"}
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 hit; ttl=-1
stale-while-revalidate beside must-revalidate
  upstream Cache-Control: max-age=9, stale-while-revalidate=5, must-revalidate | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 fwd=stale; fwd-status=304; stored
stale-while-revalidate beside proxy-revalidate
  upstream Cache-Control: max-age=9, stale-while-revalidate=5, proxy-revalidate | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 fwd=stale; fwd-status=304; stored
stale-while-revalidate beside no-cache
  upstream Cache-Control: max-age=9, stale-while-revalidate=5, no-cache | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / -> 200 #1 fwd=stale; fwd-status=304; stored
max-stale
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / | Cache-Control: max-stale=1 -> 200 #1 hit; ttl=-1
  GET / | Cache-Control: max-stale -> 200 #1 hit; ttl=-1
  +1 GET / | Cache-Control: max-stale=1 -> 200 #2 fwd=stale; stored
max-stale beside s-maxage
  upstream Cache-Control: s-maxage=9
  GET / -> 200 #1 fwd=uri-miss; stored
  +10 GET / | Cache-Control: max-stale -> 200 #2 fwd=stale; stored

# Section 5.2.1: what clients ask for
no-cache asked for
  upstream Cache-Control: max-age=9 | ETag: "a"
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / | Cache-Control: no-cache -> 200 #1 fwd=request; fwd-status=304; stored
no-store asked for
  upstream Cache-Control: max-age=9
  GET / | Cache-Control: no-store -> 200 #1 fwd=request
  GET / -> 200 #2 fwd=uri-miss; stored
max-age asked for
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  +5 GET / | Cache-Control: max-age=5 -> 200 #1 hit; ttl=4
  +1 GET / | Cache-Control: max-age=5 -> 200 #2 fwd=request; stored
min-fresh
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  +5 GET / | Cache-Control: min-fresh=4 -> 200 #1 hit; ttl=4
  GET / | Cache-Control: min-fresh=5 -> 200 #2 fwd=request; stored
only-if-cached
  upstream Cache-Control: max-age=9
  GET / | Cache-Control: only-if-cached -> 504 CACHE_ONLY_IF_CACHED -
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / | Cache-Control: only-if-cached -> 200 #1 hit; ttl=9
nothing a client asks for
  options {"requestDirectives": false}
  upstream Cache-Control: max-age=9
  GET / | Cache-Control: no-store -> 200 #1 fwd=uri-miss; stored
  GET / | Cache-Control: no-cache -> 200 #1 hit; ttl=9

# Methods, parts, keys
HEAD from GET
  upstream Cache-Control: max-age=9
  HEAD / -> 200 - fwd=uri-miss
  GET / -> 200 #2 fwd=uri-miss; stored
  HEAD / -> 200 - hit; ttl=9
a range
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  GET / | Range: bytes=0-0 -> 200 #2 fwd=bypass
unsafe methods
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  GET /?a -> 200 #2 fwd=uri-miss; stored
  POST / -> 200 #3 fwd=method
  GET / -> 200 #4 fwd=uri-miss; stored
  GET /?a -> 200 #5 fwd=uri-miss; stored
  OPTIONS / -> 200 #6 fwd=method
  GET / -> 200 #4 hit; ttl=9
another path, query, host
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss; stored
  GET /a -> 200 #2 fwd=uri-miss; stored
  GET /?a -> 200 #3 fwd=uri-miss; stored
  GET / | Host: other.test -> 200 #4 fwd=uri-miss; stored
  GET / | Host: gateway.test:81 -> 200 #5 fwd=uri-miss; stored
  GET / -> 200 #1 hit; ttl=9
a part of the query
  options {"key": {"query": ["a b"]}}
  upstream Cache-Control: max-age=9
  GET /?a+b=1&x=1 -> 200 #1 fwd=uri-miss; stored
  GET /?x=2&a+b=1 -> 200 #1 hit; ttl=9
  GET /?a+b=2 -> 200 #2 fwd=uri-miss; stored
no query
  options {"key": {"query": false}}
  upstream Cache-Control: max-age=9
  GET /?a=1 -> 200 #1 fwd=uri-miss; stored
  GET /?a=2 -> 200 #1 hit; ttl=9
a field in the key
  options {"key": {"headers": ["X-A"]}}
  upstream Cache-Control: max-age=9
  GET / | X-A: 1 -> 200 #1 fwd=uri-miss; stored
  GET / | X-A: 2 -> 200 #2 fwd=uri-miss; stored
ttl
  options {"ttl": "60s"}
  upstream Cache-Control: max-age=1
  GET / -> 200 #1 fwd=uri-miss; stored
  +30 GET / -> 200 #1 hit; ttl=30
ttl does not make public
  options {"ttl": "60s"}
  upstream Cache-Control: private
  GET / -> 200 #1 fwd=uri-miss
a body too large
  options {"maxEntrySize": 1}
  upstream Cache-Control: max-age=9
  GET / -> 200 #1 fwd=uri-miss
`

const fieldsOf = (text = '') => text.split(' | ').filter(field => field !== '')

export const cases: readonly Case[] = table
  .replace(/@(-?\d+)/g, (_, seconds: string) => httpDate(Number(seconds)))
  .split(/\n(?=\S)/)
  .filter(block => block.trim() !== '' && !block.startsWith('#'))
  .map(block => {
    const [name = '', ...lines] = block.trimEnd().split('\n')
    const said = (key: string) => lines.find(line => line.startsWith(`  ${key}`))?.slice(key.length + 3)
    const steps = lines.flatMap(line => {
      const [, after = '0', request, fields, told] =
        /^ {2}(?:\+(\d+) )?([A-Z]+ \S+)(?: \| (.*))? -> (.*)$/.exec(line) ?? []
      if (request === undefined || told === undefined) {
        if (/^ {2}(?:options|upstream)\b|^$/.test(line)) return []
        throw new Error(`not a step: ${line}`)
      }
      return { after: Number(after), request, fields: fieldsOf(fields), told }
    })
    const options: unknown = JSON.parse(said('options') ?? 'true')
    return { name, options, upstream: fieldsOf(said('upstream')), steps }
  })
