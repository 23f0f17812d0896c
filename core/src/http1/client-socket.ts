import type { Socket } from 'node:net'

type Done = (error?: Error | null) => void

/**
 * Lets a socket be read on after a write has failed. An upstream that answers early and closes (413, 401) resets the
 * connection under the rest of the request body; its answer is in the receive buffer by then, but Node destroys a socket
 * at its first write error. So a failed write and those after it count as done here, and reading tells how it ended:
 * after a reset it always ends.
 *
 * @param onFailed hears of the first write that failed.
 * @returns undoes it.
 */
export function readPastWriteErrors(socket: Socket, onFailed: (error: NodeJS.ErrnoException) => void): () => void {
  const write = socket._write
  const writev = socket._writev
  let failed = false
  const survive =
    (done: Done): Done =>
    error => {
      if (error && !failed) {
        failed = true
        onFailed(error)
      }
      done()
    }
  socket._write = (chunk, encoding, done) => {
    if (failed) done()
    else write.call(socket, chunk, encoding, survive(done))
  }
  if (writev !== undefined) {
    socket._writev = (chunks, done) => {
      if (failed) done()
      else writev.call(socket, chunks, survive(done))
    }
  }
  return () => {
    socket._write = write
    if (writev !== undefined) socket._writev = writev
  }
}
