import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { onCleanup } from './cleanup.ts'
import { connect } from './wire.ts'

// Listens and then stops its thread, so that nobody ever accepts.
const listener = `
  const { parentPort, workerData } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(workerData, 0, 0)
    process.exit()
  })`

/**
 * An origin at which connection attempts stay unanswered: its queue of connections is full, and Linux then drops each
 * further SYN. (On loopback a SYN is dealt with within connect(2), so those of the test stand before the gateway's.)
 */
export async function blackhole(): Promise<string> {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(listener, { eval: true, workerData: gate })
  const exited = once(worker, 'exit')
  onCleanup('upstreams', async () => {
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
    await exited
  })
  const [port] = (await once(worker, 'message')) as [number]
  // The queue takes one more than its length.
  await Promise.all([connect(port), connect(port)])
  return `http://127.0.0.1:${port}`
}
