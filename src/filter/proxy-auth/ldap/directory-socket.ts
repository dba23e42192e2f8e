import { connect, isIP, type Socket } from "node:net"
import { checkServerIdentity, connect as connectTls, type ConnectionOptions, type PeerCertificate } from "node:tls"
import { BerReader } from "ldapts"

/** Where a directory is, and how to be sure that it is that one. */
export interface DirectoryAddress {
  readonly host: string
  readonly port: number
  /** TLS from the first octet; by StartTLS; not at all. */
  readonly tls: "at-once" | "start" | "none"
  /** Certificates of authorities, PEM; null = the system's. */
  readonly ca: string | null
  /** Name in the certificate; "" = the host. */
  readonly serverName: string
}

/** No connection, or none that could be trusted. */
export class DirectoryUnreachable extends Error {
  override name = "DirectoryUnreachable"
}

/**
 * Opens a connection, with TLS as the address says, certificates always checked. The client library would open one by itself, and again without TLS when it was lost, so it is
 * given ours. Rejects with DirectoryUnreachable.
 */
export async function openDirectory(address: DirectoryAddress, timeoutMs: number): Promise<Socket> {
  const opening = new Opening(timeoutMs)
  try {
    if (address.tls === "at-once") return await opening.secure({ host: address.host, port: address.port }, address)
    const plain = await opening.plain(address)
    if (address.tls === "none") return plain
    await opening.startTls(plain)
    return await opening.secure({ socket: plain }, address)
  } catch (error) {
    opening.giveUp()
    throw new DirectoryUnreachable(error instanceof Error ? error.message : String(error))
  } finally {
    opening.end()
  }
}

/** ExtendedRequest with the message number 1 and the name 1.3.6.1.4.1.1466.20037 (RFC 4511 section 4.14.1). */
const START_TLS = Buffer.from("301d02010177188016312e332e362e312e342e312e313436362e3230303337", "hex")
const EXTENDED_RESPONSE = 0x78
const ANSWER_OCTETS_MAX = 4096

class Opening {
  private socket: Socket | null = null
  private fail: (error: Error) => void = () => {}
  private readonly timer: ReturnType<typeof setTimeout>
  private readonly onError = (error: Error): void => this.fail(error)
  private readonly onClose = (): void => this.fail(new Error("the connection was closed"))

  constructor(timeoutMs: number) {
    this.timer = setTimeout(() => this.fail(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
  }

  plain({ host, port }: DirectoryAddress): Promise<Socket> {
    return this.until(connect({ host, port, noDelay: true }), "connect")
  }

  /** `target`: where to, or the connection that there is. The certificate must have the name that the config says, whatever the connection was opened to. */
  secure(target: ConnectionOptions, { host, ca, serverName }: DirectoryAddress): Promise<Socket> {
    const name = serverName === "" ? host : serverName
    const known = { ...(ca === null ? {} : { ca }), ...(isIP(name) === 0 ? { servername: name } : {}) }
    const identity = { rejectUnauthorized: true, checkServerIdentity: (_: string, shown: PeerCertificate) => checkServerIdentity(name, shown) }
    return this.until(connectTls({ ...target, ...known, ...identity, minVersion: "TLSv1.2" }), "secureConnect")
  }

  /** Asks for TLS. What comes behind the answer came without TLS, from whoever: then nothing is believed. */
  async startTls(socket: Socket): Promise<void> {
    let received: Buffer = Buffer.alloc(0)
    const answered = new Promise<void>((resolve, reject) => {
      this.fail = reject
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk])
        const code = resultOf(received)
        if (code === null) return
        if (code === 0) resolve()
        else reject(new Error(code < 0 ? "what came is no answer to StartTLS" : `StartTLS is refused with the code ${code}`))
      })
    })
    socket.write(START_TLS)
    await answered
    socket.removeAllListeners("data")
  }

  giveUp(): void {
    this.socket?.on("error", () => {})
    this.socket?.destroy()
  }

  end(): void {
    clearTimeout(this.timer)
    this.socket?.off("error", this.onError)
    this.socket?.off("close", this.onClose)
  }

  private until(socket: Socket, event: "connect" | "secureConnect"): Promise<Socket> {
    this.socket = socket
    return new Promise((resolve, reject) => {
      this.fail = reject
      socket.on("error", this.onError)
      socket.on("close", this.onClose)
      socket.once(event, () => resolve(socket))
    })
  }
}

/** Result code of the answer, null = it is not all there; -1 = it is no answer, or more than one. */
export function resultOf(octets: Buffer): number | null {
  if (octets.length > ANSWER_OCTETS_MAX) return -1
  try {
    const reader = new BerReader(octets)
    const tag = reader.readSequence(0x30)
    if (tag === null || reader.remain < reader.length) return null
    if (reader.remain > reader.length || reader.readInt() !== 1 || reader.readSequence(EXTENDED_RESPONSE) === null) return -1
    return reader.readEnumeration() ?? -1
  } catch {
    return -1
  }
}
