import type { Duration } from '@gateway/core'

export interface Init extends RequestInit {
  readonly from?: string
  /** Default 1; what is answered is counted. */
  readonly times?: number
  /** Time that passes before an answer is waited for. */
  readonly after?: Duration
  /** With the cookies that were set before. */
  readonly cookies?: true
}
type Case = readonly [request: string, init: Init, expected: string | RegExp]

/** Enough for an event stream that breaks off to be opened again, twice. */
const after = '1s'
const again = 'id: 2\ndata: again\n\n'

/**
 * Every example, and what it says of requests, be it written in TypeScript or in YAML: status, then what the upstream or
 * the gateway answered. What only one of them can say stands under the file's name, and is asked after the rest.
 */
export const said: Readonly<Record<string, readonly Case[]>> = {
  access: [
    ['POST /api/a', { headers: { 'content-type': 'application/json' }, body: '{}' }, '200 POST /api/a nosniff'],
    ['POST /api/a', { body: 'text' }, /^415 .*ACCESS_CONTENT_TYPE_REFUSED/],
    ['GET /api/a', { from: '192.0.2.7' }, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', {}, /^403 .*ACCESS_ADDRESS_REFUSED/],
    ['GET /admin/a', { from: '10.0.0.7' }, '200 GET /admin/a nosniff'],
    ['GET /admin/a', { from: '10.0.0.7', headers: { 'x-forwarded-for': '8.8.8.8' } }, /^403/],
  ],
  'api-keys': [
    ['GET /items/1', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /items/1', { headers: { 'x-api-key': 'example-key' } }, /^200 GET \/items\/1/],
    ['GET /items/1', { headers: { 'x-api-key': 'another-key' } }, /^401 .*AUTH_INVALID/],
    ['POST /items', { headers: { 'x-api-key': 'example-key' } }, /^403 .*AUTH_FORBIDDEN/],
  ],
  cache: [
    ['GET /prices?currency=eur&a=1', {}, '200 GET /prices?currency=eur&a=1 fwd=uri-miss; stored'],
    ['GET /prices?a=2&currency=eur', {}, '200 GET /prices?currency=eur&a=1 hit; ttl=10'],
    ['GET /prices?currency=usd', {}, '200 GET /prices?currency=usd fwd=uri-miss; stored'],
    ['GET /items/1', {}, '200 GET /items/1 fwd=uri-miss'],
    ['POST /items/1', {}, '200 POST /items/1 fwd=method'],
  ],
  canary: [
    ['GET /shop/a', { headers: { 'x-version': 'canary' } }, '200 from canary'],
    ['GET /shop/a', { headers: { 'x-version': 'stable' } }, '200 GET /shop/a'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=499' } }, '200 from canary'],
    ['GET /shop/a', { headers: { cookie: 'GATEWAY_PLACE=500' } }, '200 GET /shop/a'],
  ],
  'circuit-breaker': [
    ['GET /orders/1', {}, '200 GET /orders/1'],
    ...Array.from({ length: 2 }, () => ['GET /report', {}, '500 broken'] as const),
  ],
  'circuit-breaker.ts': [['GET /report', {}, '200 {"report":null}\n']],
  'circuit-breaker.yaml': [['GET /report', {}, /^503 .*CIRCUIT_OPEN/]],
  compression: [
    ['GET /pages/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /pages/1 gzip fwd=uri-miss; stored'],
    ['GET /pages/1', { headers: { 'accept-encoding': 'br, zstd' } }, '200 GET /pages/1 zstd hit; ttl=60'],
    ['GET /pages/1', {}, '200 GET /pages/1 hit; ttl=60'],
    ['GET /account/1', { headers: { 'accept-encoding': 'gzip' } }, '200 GET /account/1'],
  ],
  concurrency: [
    ['GET /shop/tea', {}, '200 GET /shop/tea'],
    ['GET /exports/1', { headers: { 'x-tenant': 'a' } }, '200 GET /exports/1'],
    ['POST /payments', {}, '200 POST /payments'],
  ],
  'consistent-hash': [
    ['GET /thumbnails/a', { times: 5, headers: { 'x-session-id': 'ada' } }, '5 × 200 3001 GET /thumbnails/a'],
    ['GET /thumbnails/a', { times: 5, headers: { cookie: 'session=kim' } }, '5 × 200 3002 GET /thumbnails/a'],
    ['GET /thumbnails/a', { times: 5, from: '10.0.0.1' }, '5 × 200 3003 GET /thumbnails/a'],
  ],
  cors: [
    ['GET /api/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /api/a https://app.example.com'],
    ['GET /api/a', { headers: { origin: 'https://evil.test' } }, '200 GET /api/a'],
    ['GET /fonts/a', { headers: { origin: 'https://evil.test' } }, '200 GET /fonts/a *'],
    ['GET /admin/a', { headers: { origin: 'https://app.example.com' } }, '200 GET /admin/a'],
  ],
  'discovery-consul': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  'discovery-dns': [
    ['GET /orders/7', {}, '200 GET /orders/7'],
    ['GET /users/7', {}, '200 GET /users/7'],
  ],
  'discovery-docker': [['GET /orders/7', {}, '200 GET /orders/7']],
  'discovery-docker.ts': [
    ['GET /web/7', {}, '200 GET /web/7'],
    ['GET /health', {}, '200 ok\n'],
  ],
  'discovery-kubernetes': [['GET /orders/7', {}, '200 GET /orders/7']],
  'discovery-kubernetes.ts': [['GET /web/7', {}, '200 GET /web/7']],
  'event-streams': [
    ['GET /me/events', { headers: { cookie: 'a=b' }, after }, `200 retry: 1\nid: 1\ndata: to a=b\n\n${again}`],
    ['GET /ticker', { headers: { cookie: 'a=b' }, after }, `200 retry: 1\nid: 1\ndata: to all\n\n${again}`],
  ],
  health: [
    ['GET /api/a', {}, '200 GET /api/a'],
    ['GET /carts/7', {}, '200 GET /carts/7'],
    ['GET /ready', {}, '200 {"ready":true}\n'],
    ['GET /live', {}, '200 {"status":"ok"}\n'],
  ],
  'jwt.ts': [
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN', 'x-user-id': 'root' } }, '200 GET /orders ada'],
  ],
  jwt: [
    ['GET /orders', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /orders', { headers: { authorization: 'Bearer of.no.use' } }, /^401 .*AUTH_INVALID/],
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^200 GET \/orders/],
    ['POST /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /health', {}, '200 GET /health'],
  ],
  'load-balancing': [
    ['GET /a', { times: 8 }, '6 × 200 3001 GET /a, 2 × 200 3002 GET /a'],
    ['GET /images/a', { times: 8 }, /^(\d × 200 300[12] GET \/images\/a(, )?){1,2}$/],
    ['GET /orders/a', { times: 8 }, /^(\d × 200 300[12] GET \/orders\/a(, )?){1,2}$/],
    ['GET /search', { times: 8 }, /^(\d × 200 300[12] GET \/search(, )?){1,2}$/],
  ],
  mirror: [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['POST /shop/a', { body: 'b' }, '200 POST /shop/a'],
  ],
  oauth2: [
    ['GET /orders', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /orders', { headers: { authorization: 'Bearer TOKEN' } }, '200 GET /orders'],
    ['GET /orders', { headers: { cookie: 'access_token=TOKEN' } }, '200 GET /orders'],
    ['POST /orders', { headers: { authorization: 'Bearer TOKEN' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /about', {}, '200 GET /about'],
  ],
  openapi: [
    ['GET /users', {}, '200 GET /users'],
    ['POST /users', {}, '200 POST /users'],
    ['GET /users/7', {}, '200 GET /users/7'],
    ['DELETE /users/7', {}, /^405 /],
    ['GET /health', {}, '200 GET /health'],
  ],
  'rate-limit': [
    ...Array.from({ length: 5 }, () => ['POST /login', {}, /^200/] as const),
    ['POST /login', {}, /^429 .*RATE_LIMIT_EXCEEDED/],
    ['POST /login', { from: '10.0.0.7' }, /^200/],
    ['GET /api/a', {}, /^200 GET \/api\/a/],
    ['GET /health', {}, '200 GET /health'],
  ],
  'rate-limit.ts': [['POST /reports', {}, /^200 POST \/reports/]],
  rbac: [
    ['GET /items/7', {}, /^401 .*AUTH_REQUIRED/],
    ['GET /items/7', { headers: { 'x-api-key': 'bob-example-key' } }, '200 GET /items/7'],
    ['PUT /items/7', { headers: { 'x-api-key': 'bob-example-key' } }, /^403 .*AUTH_FORBIDDEN/],
    ['GET /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 GET /items/7'],
    ['PUT /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 PUT /items/7'],
    ['DELETE /items/7', { headers: { 'x-api-key': 'ada-example-key' } }, /^403 .*AUTH_FORBIDDEN/],
    ['DELETE /orders/7', { headers: { 'x-api-key': 'ada-example-key' } }, '200 DELETE /orders/7'],
    ['GET /about', {}, '200 GET /about'],
  ],
  'request-limits': [
    ['POST /forms/a', { body: 'x'.repeat(2 ** 20) }, '200 POST /forms/a'],
    ['POST /forms/a', { body: 'x'.repeat(2 ** 20 + 1) }, /^413 /],
    ['GET /slow', { after: '1s' }, /^408 /],
  ],
  retry: [
    ['GET /shop/a', {}, '200 GET /shop/a'],
    ['GET /search?q=tea', {}, '200 GET /search?q=tea'],
    ['GET /shop/flaky', { after: '1s' }, '200 GET /shop/flaky'],
    ['POST /shop/flaky', { after: '1s' }, '503 try again'],
  ],
  'retry.ts': [
    ['POST /orders', { headers: { 'idempotency-key': '7' }, body: '1 cup' }, '200 POST /orders'],
    ['POST /orders', { body: '1 cup' }, /^404 .*GATEWAY_ROUTE_NOT_FOUND/],
  ],
  routing: [
    ['GET /api/users', {}, '200 3001 GET /api/users'],
    ['POST /api/users/7?a=b', {}, '200 3001 POST /api/users/7?a=b'],
    ['DELETE /api/users/7', {}, /^405 .*GATEWAY_METHOD_NOT_ALLOWED/],
    ['GET /api/users/7/report', {}, '200 3002 GET /api/users/7/report'],
    ['PUT /v1/reports/7', {}, '200 3002 PUT /reports/7'],
    ['GET /', {}, '200 3003 GET /'],
  ],
  'session-affinity': [
    ['GET /site/a', { cookies: true, times: 6 }, /^6 × 200 300\d GET \/site\/a$/],
    ['GET /app/a', { times: 6, headers: { 'x-cart': '7' } }, '6 × 200 3001 GET /app/a'],
    ['GET /download/a?cart=7', { times: 6 }, '6 × 200 3001 GET /download/a?cart=7'],
    [
      'GET /images/a',
      { times: 3 },
      '1 × 200 3001 GET /images/a, 1 × 200 3002 GET /images/a, 1 × 200 3003 GET /images/a',
    ],
  ],
  sse: [
    ['GET /news', {}, '200 GET /news'],
    ['POST /news', {}, '200 POST /news'],
    ['GET /news', { headers: { accept: 'text/event-stream' }, after }, `200 retry: 1\nid: 1\ndata: to all\n\n${again}`],
  ],
  transform: [
    ['GET /v2/user/7?a=b', {}, '200 {"path":"GET /user/7?a=b","name":"Ada"}'],
    [
      'POST /v2/user',
      { headers: { 'content-type': 'application/json' }, body: '{"name":"Ada"}' },
      '200 {"user_name":"Ada"}',
    ],
  ],
  'transform.ts': [['GET /v2/user/7?debug=1&a=b', {}, /"GET \/user\/7\?a=b"/]],
  versioning: [
    ['GET /users/7', {}, '200 3002 GET /users/7'],
    ['GET /users/7', { headers: { 'x-api-version': '2' } }, '200 3002 GET /users/7'],
    [
      'GET /users/7',
      { headers: { 'x-api-version': '1' } },
      '200 3001 GET /users/7 @1767225600 Wed, 30 Jun 2027 00:00:00 GMT',
    ],
  ],
  // What they are for takes a connection: examples/websocket-chat.
  websockets: [
    ['GET /live', {}, '200 GET /live'],
    ['GET /chat/tea', {}, /^400 .*WEBSOCKET_REQUIRED/],
  ],
}
