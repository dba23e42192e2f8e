// HOT
import type { QuicStream } from "../../net/index.ts"
import { CapsuleReader, type CapsuleReceiver, datagramCapsule } from "../capsule.ts"
import type { StreamTunnel } from "../h2/stream-tunnel.ts"

/** Datagrams that are kept until the tunnel is there: clients do not wait for it (RFC 9298 section 5). */
const EARLY_DATAGRAMS_MAX = 16

/**
 * A tunnel of capsules over HTTP/3, where DATAGRAM capsules may travel as QUIC datagrams instead (RFC 9297 section 2.1). Whoever is behind it sees capsules alone:
 *
 *     client ── stream: capsules, each DATAGRAM kept until it is whole ──┐
 *     client ── QUIC datagrams, each between two capsules ───────────────┴──> tunnel
 *     client <── QUIC datagrams, where they fit and the client takes them; else the stream ── capsules ── tunnel
 */
export class DatagramPath implements CapsuleReceiver {
  /** Datagrams that came too early or in the middle of another capsule; UDP may lose them. */
  dropped = 0
  private readonly reader: CapsuleReader = new CapsuleReader(this)
  private readonly out: DatagramsOut
  private tunnel: StreamTunnel | null = null
  private early: Uint8Array[] = []

  /** `id`: the stream's. */
  constructor(stream: QuicStream, id: number) {
    this.out = new DatagramsOut(stream, id)
  }

  /** The tunnel begins. */
  begin(tunnel: StreamTunnel): void {
    this.tunnel = tunnel
    const { early } = this
    this.early = []
    for (let i = 0; i < early.length; i++) this.fromDatagram(early[i]!)
  }

  /** A QUIC datagram of the client, without its quarter stream id. The memory is ours. */
  fromDatagram(value: Uint8Array): void {
    if (this.tunnel === null) {
      if (this.early.length < EARLY_DATAGRAMS_MAX) this.early.push(value)
      else this.dropped++
    } else if (this.reader.isPassing) this.dropped++
    else this.onDatagramCapsule(value)
  }

  /** Octets of the client's stream, once the tunnel has begun. False = they are no capsules. */
  fromStream(chunk: Uint8Array): boolean {
    return this.reader.push(chunk)
  }

  /** The client's stream may end here: between two capsules. */
  get endsWell(): boolean {
    return this.reader.isWhole
  }

  /** Octets for the client. False = wait for the stream to drain. */
  write(chunk: Uint8Array): boolean {
    return this.out.write(chunk)
  }

  onDatagramCapsule(value: Uint8Array): void {
    this.tunnel!.receive(datagramCapsule(value))
  }

  onOtherCapsule(octets: Uint8Array): void {
    this.tunnel!.receive(octets)
  }
}

/** The way to the client. */
class DatagramsOut implements CapsuleReceiver {
  private readonly stream: QuicStream
  private readonly prefix: Uint8Array
  private readonly reader: CapsuleReader = new CapsuleReader(this)
  private room = true

  constructor(stream: QuicStream, id: number) {
    this.stream = stream
    this.prefix = quarterId(id)
  }

  write(chunk: Uint8Array): boolean {
    this.room = true
    // What is no capsule is for the client to judge as little as for us: it goes nowhere.
    this.reader.push(chunk)
    return this.room
  }

  onDatagramCapsule(value: Uint8Array): void {
    const { prefix } = this
    const { connection } = this.stream
    const length = prefix.length + value.length
    if (length <= connection.datagramBytesMax) {
      // The runtime sends it later.
      const datagram = new Uint8Array(length)
      datagram.set(prefix)
      datagram.set(value, prefix.length)
      if (connection.sendDatagram(datagram)) return
    }
    this.onOtherCapsule(datagramCapsule(value))
  }

  onOtherCapsule(octets: Uint8Array): void {
    if (!this.stream.write(octets)) this.room = false
  }
}

/** The quarter of a stream's id as a variable-length integer; four octets do for more streams than a connection lives for. */
function quarterId(id: number): Uint8Array {
  const quarter = id / 4
  if (quarter < 64) return new Uint8Array([quarter])
  if (quarter < 16_384) return new Uint8Array([0x40 | (quarter >>> 8), quarter])
  return new Uint8Array([0x80 | (quarter >>> 24), quarter >>> 16, quarter >>> 8, quarter])
}
