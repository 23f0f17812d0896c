import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { type ConnectionCounts, localCounts } from '../group/connection-counts.ts'
import type { GroupChannel, WorkerGroup } from '../group/worker-group.ts'
import type { MemoryLine, MemoryRequest, WorkerSetup } from './messages.ts'
import { countBytes, sharedCounts } from './shared-counts.ts'

/** Milliseconds for the main thread, which does little else, to answer. */
const answerMs = 30_000

/** Every name of memory that holds counts begins so. */
export const countsName = 'gateway.connections '

/** The group as one of its worker threads sees it; `count` is written before each config that is taken. */
export function threadGroup(setup: WorkerSetup): WorkerGroup & { count: number } {
  const { index, id, row, gateway, secret } = setup
  const letGo = (name: string, byteLength: number) => tell(setup.memory.port, { letGo: name, byteLength })
  return {
    index,
    count: 1,
    reusePort: true,
    secret,
    memory: (name, byteLength) => askForMemory(setup.memory, name, byteLength),
    letGo,
    channel: (name, onMessage) => groupChannel(`${gateway} ${name}`, id, index, onMessage),
    counts(listener): ConnectionCounts {
      if (row === undefined) return localCounts()
      const name = `${countsName}${listener}`
      const buffer = askForMemory(setup.memory, name, countBytes)
      return sharedCounts(buffer, row, secret, () => letGo(name, countBytes))
    },
  }
}

/** Waits for the answer, since whoever asks is in the midst of a synchronous call. */
function askForMemory({ port, answers }: MemoryLine, name: string, byteLength: number): SharedArrayBuffer {
  const before = Atomics.load(answers, 0)
  tell(port, { acquire: name, byteLength })
  Atomics.wait(answers, 0, before, answerMs)
  const answer = receiveMessageOnPort(port)?.message
  if (answer instanceof SharedArrayBuffer) return answer
  throw new Error(`no memory "${name}" of ${byteLength} bytes: ${String(answer ?? 'the main thread does not answer')}`)
}

function tell(port: MessagePort, request: MemoryRequest): void {
  port.postMessage(request)
}

interface Posted {
  readonly id: number
  readonly from: number
  readonly message: unknown
}

/** `id` tells this worker's own generations, which are no others, from the rest. */
export function groupChannel(
  name: string,
  id: number,
  index: number,
  onMessage: (message: unknown, from: number) => void,
): GroupChannel {
  const channel = new BroadcastChannel(name)
  let closed = false
  channel.unref()
  channel.onmessage = ({ data }: { data: unknown }) => {
    // Nobody else posts under this name, which is unique to the gateway.
    const posted = data as Posted
    if (posted.id !== id) onMessage(posted.message, posted.from)
  }
  return {
    post(message) {
      if (!closed) channel.postMessage({ id, from: index, message } satisfies Posted)
    },
    close() {
      closed = true
      channel.close()
    },
  }
}
