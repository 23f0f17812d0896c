/** A gateway in a process of its own, so that its memory can be told from the test's. Config: the first argument, JSON. */
import { createGateway, silentLog } from '@gateway/core'

const gateway = await createGateway(JSON.parse(process.argv[2] ?? ''), { log: silentLog })
const [address] = await gateway.listen()
process.send?.({ port: address?.port })
process.on('message', () =>
  process.send?.({ peakRss: process.resourceUsage().maxRSS * 1024, ...process.memoryUsage() }),
)
