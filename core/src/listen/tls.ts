import { constants, createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { CertificateModel, ListenerTlsModel } from '../config/model.ts'
import { byServerName } from './server-names.ts'

/** A connection in its handshake. */
export interface Handshake {
  /** Its TCP side. */
  readonly socket: Socket
  secured(socket: TLSSocket): void
  /** The socket is closed by then. */
  failed(reason: string): void
}

/** Takes connections through the TLS handshake. */
export interface TlsAcceptor {
  /** What has been read from the socket and pushed back belongs to the handshake; `serverName` stands there, or is empty. */
  accept(handshake: Handshake, serverName: string): void
}

/**
 * TLS servers that never listen: they are handed connections, so that their first bytes can be looked at, and those that
 * replace them at a reload take the ones that come later. One for each set of certificates: of a context that an
 * SNICallback answers, Node uses one certificate alone, so that a name could not have both an ECDSA and an RSA one.
 *
 * `ticketKeys`: 48 bytes; sessions of one acceptor are resumed by the next that has the same. `onRefusal` hears why a
 * client's certificate was refused: by then it can no longer be told which connection it was.
 */
export function createTlsAcceptor(
  model: ListenerTlsModel,
  protocols: readonly string[],
  ticketKeys: Buffer,
  onRefusal: (reason: string) => void,
): TlsAcceptor {
  const { certificates, minVersion, maxVersion, ciphers, clientCertificate } = model
  const settings = {
    minVersion,
    ...(maxVersion === undefined ? {} : { maxVersion }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(clientCertificate === undefined ? {} : { ca: clientCertificate.ca }),
    // Renegotiation lets a client make the server compute for nothing; HTTP/2 forbids it.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    // A resumed session is not verified anew: it must not outlive the authorities that its certificate was verified by.
    sessionIdContext: hash(JSON.stringify(clientCertificate ?? null)).slice(0, 32),
    ticketKeys,
    ALPNProtocols: [...protocols],
    requestCert: clientCertificate !== undefined,
    rejectUnauthorized: clientCertificate?.mode === 'require',
    // The connection has a deadline of its own, which began earlier.
    handshakeTimeout: 2 ** 31 - 1,
  }
  const underWay = new Map<string, Handshake>()
  const serverFor = byServerName(certificates, set => serverWith(set))
  return {
    accept(handshake, serverName) {
      const key = addressesOf(handshake.socket)
      underWay.set(key, handshake)
      handshake.socket.once('close', () => {
        if (underWay.get(key) === handshake) underWay.delete(key)
      })
      // A client that leaves within the handshake is gone: nobody would see its FIN and close.
      handshake.socket.allowHalfOpen = false
      serverFor(serverName).emit('connection', handshake.socket)
    },
  }

  function serverWith(set: readonly CertificateModel[]): Server {
    const server = createServer({ ...settings, cert: set.map(({ cert }) => cert), key: set.map(({ key }) => key) })
    server.on('secureConnection', socket => {
      const key = addressesOf(socket)
      const handshake = underWay.get(key)
      underWay.delete(key)
      // Closed in the same moment, it has no addresses any more.
      if (handshake === undefined) socket.destroy()
      else handshake.secured(socket)
    })
    server.on('tlsClientError', (error, socket) => {
      const { authorizationError } = socket
      // After the handshake, when Node has closed the connection and it has no addresses any more.
      if (authorizationError) onRefusal(`the client's certificate was refused: ${String(authorizationError)}`)
      else underWay.get(addressesOf(socket))?.failed('reason' in error ? String(error.reason) : error.message)
      socket.destroy()
    })
    return server
  }
}

/** A TLS socket does not tell which socket it was made of, but both tell between which addresses it runs. */
function addressesOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex')
