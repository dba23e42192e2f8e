import type { X509Certificate } from "node:crypto"
import { type ClientCertificate, plainAddress, plainServerName } from "../connection-info.ts"
import type { Refusal } from "../accept-point.ts"
import { type ConnectionLimits, REFUSED, UNTRACKED } from "../connection-limits.ts"
import type { QuicListener } from "./listen-quic.ts"
import { handshakeFacts, QuicConnection } from "./quic-connection.ts"
import { H3_EXCESSIVE_LOAD } from "./quic-handlers.ts"
import { errorText, type NativeError, type NativeHandshake, type NativeSession, noop } from "./quic-runtime.ts"
import { UnreadMeter } from "./unread-meter.ts"

const CONNECTION_REFUSED = 0x2n

/** A client's connection from its first packet on. The runtime tells of it before the client has shown that its address is its own. */
export class AcceptedSession {
  private readonly listener: QuicListener
  private readonly native: NativeSession
  private connection: QuicConnection | null
  private slot: number
  /** Where it is counted; the listener may count others elsewhere by the time that it ends. */
  private limits: ConnectionLimits | null
  private refused: boolean
  private error: NativeError | null

  constructor(listener: QuicListener, native: NativeSession) {
    this.listener = listener
    this.native = native
    this.connection = null
    this.slot = UNTRACKED
    this.limits = null
    this.refused = false
    this.error = null
    // Whatever has no listener here ends in an unhandled rejection, or ends every stream.
    native.onerror = error => this.failed(error)
    native.onhandshake = info => this.ready(info)
    native.onstream = stream => {
      if (this.connection === null) stream.closed.catch(noop)
      else this.connection.accept(stream)
    }
    native.ondatagram = data => {
      if (this.connection !== null) this.connection.handler.onDatagram(this.connection, data)
    }
    native.onpathvalidation = (_result, _local, remote) => this.connection?.unread.moved(plainAddress(remote.address), remote.port)
    native.ongoaway = () => this.connection?.peerGoesAway()
    const ended = (): void => this.ended()
    native.closed.then(ended, ended)
  }

  goAway(): void {
    this.connection?.goAway()
  }

  private failed(error: NativeError): void {
    this.error = error
  }

  private ready(info: NativeHandshake): void {
    const { listener, native } = this
    const remote = native.path?.remote
    if (remote === undefined || this.connection !== null) return
    const remoteAddress = plainAddress(remote.address)
    const clientCertificate = info.validationErrorReason === undefined ? certificateOf(native.peerCertificate) : null
    // One without a certificate is told of here too, before the runtime refuses it.
    if (listener.requiresCertificate && clientCertificate === null) return
    if (!this.admit(remoteAddress)) return
    const connection = new QuicConnection(
      native,
      {
        ...handshakeFacts(info),
        remoteAddress,
        remotePort: remote.port,
        localAddress: listener.host,
        localPort: listener.port,
        serverName: plainServerName(info.servername ?? ""),
        clientCertificate,
      },
      new UnreadMeter(listener.unread, listener.brake, remoteAddress, remote.port),
      false,
    )
    this.connection = connection
    const handler = listener.acceptor.onOpen(connection)
    if (handler === null) connection.close(H3_EXCESSIVE_LOAD)
    else connection.handler = handler
  }

  /** Counts it, or ends it. Not before the handshake: an address that did not answer may be anybody's. */
  private admit(address: string): boolean {
    const { connectionLimits } = this.listener
    if (connectionLimits === null) return true
    this.limits = connectionLimits
    if (!connectionLimits.openOne()) return this.refuse(address, "connectionsMax")
    this.slot = connectionLimits.admit(address)
    return this.slot === REFUSED ? this.refuse(address, "connectionsPerClientMax") : true
  }

  private refuse(address: string, refusal: Refusal): false {
    this.refused = true
    this.listener.acceptor.onRefused?.(address, refusal)
    this.native.destroy(undefined, { code: CONNECTION_REFUSED, type: "transport" })
    return false
  }

  private ended(): void {
    const { listener, connection, limits } = this
    listener.sessions.delete(this)
    if (limits !== null) {
      limits.closeOne()
      if (this.slot !== REFUSED && this.slot !== UNTRACKED) limits.release(this.slot)
    }
    if (connection !== null) connection.ended(this.error)
    else if (!this.refused) listener.acceptor.onFailed?.(this.error === null ? "the handshake did not finish" : errorText(this.error))
  }
}

function certificateOf(shown: X509Certificate | undefined): ClientCertificate | null {
  if (shown === undefined) return null
  const { subject, issuer, serialNumber, fingerprint256 } = shown
  const name = subject.split("\n").reverse().join(",")
  return {
    verified: true,
    problem: "",
    name,
    subject,
    issuer,
    serialNumber,
    fingerprint256,
    get der() {
      return shown.raw
    },
  }
}
