import { createGateway, silentLog, defineConfig } from './core/src/index.ts'
const g = await createGateway(defineConfig({ listen: { port: 9300, limits: { requestsPerConnection: 0 } }, services: { b: { targets: ['http://127.0.0.1:9100'] } }, routes: { all: { match: 'ANY /*', service: 'b' } } }), { log: silentLog })
await g.listen(); process.on("SIGTERM", () => process.exit(0))
