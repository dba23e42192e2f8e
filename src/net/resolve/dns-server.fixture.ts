import { createSocket, type Socket as UdpSocket } from "node:dgram"
import { createServer, type Server, type Socket as TcpSocket } from "node:net"
import { writeIp } from "../../base/index.ts"
import { decodeMessage, RCODE_NO_NAME, RCODE_OK, TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_HTTPS, TYPE_SOA } from "./dns-message.ts"

/** The types that the server knows. */
type Kind = "a" | "aaaa" | "https"
const kinds: Readonly<Record<number, Kind>> = { [TYPE_A]: "a", [TYPE_AAAA]: "aaaa", [TYPE_HTTPS]: "https" }
const typeOf: Readonly<Record<Kind, number>> = { a: TYPE_A, aaaa: TYPE_AAAA, https: TYPE_HTTPS }

/** What the server says for a name. Nothing set = the name exists without addresses. */
export interface DnsRule {
  a?: readonly string[]
  aaaa?: readonly string[]
  /** The data of HTTPS records, see `httpsData`. */
  https?: readonly Uint8Array[]
  /** The name is an alias; the rule of the target, if there is one, is answered along. */
  cname?: string
  /** Seconds. Default 60. */
  ttl?: number
  /** Response code, for all types or by type: 2 = SERVFAIL, 3 = NXDOMAIN. */
  rcode?: number | { [kind in Kind]?: number }
  /** Seconds in the SOA of an answer without addresses; unset = no SOA. */
  negativeTtl?: number
  /** No answer, for all types or one. */
  silent?: boolean | Kind
  /** Over UDP only that it is too long. */
  truncated?: boolean
  delayMs?: number
  /** Sent in place of the answer, in this order; `answer` is what would be sent. */
  forge?: (query: Uint8Array, answer: Uint8Array) => readonly Uint8Array[]
}

export interface SeenQuery {
  readonly name: string
  readonly type: Uppercase<Kind>
  readonly transport: "udp" | "tcp" | "secure"
  readonly fromPort: number
  readonly id: number
  readonly edns: boolean
}

/** A scripted DNS server on 127.0.0.1, for tests. Names without a rule do not exist. */
export class DnsServer {
  readonly port: number
  readonly queries: SeenQuery[] = []
  private readonly rules = new Map<string, DnsRule>()
  private readonly udp: UdpSocket
  private readonly tcp: Server
  private readonly connections = new Set<TcpSocket>()
  private down = false

  private constructor(udp: UdpSocket, tcp: Server) {
    this.udp = udp
    this.tcp = tcp
    this.port = udp.address().port
    udp.on("message", (query, sender) => this.take(query, "udp", sender.port, answer => this.udp.send(answer, sender.port, sender.address)))
    tcp.on("connection", socket => this.accept(socket))
  }

  /** On a free port, the same for UDP and TCP. */
  static async start(): Promise<DnsServer> {
    for (;;) {
      const udp = createSocket("udp4")
      await new Promise<void>(done => udp.bind(0, "127.0.0.1", done))
      const tcp = createServer()
      const bound = await new Promise<boolean>(done => {
        tcp.once("error", () => done(false))
        tcp.listen(udp.address().port, "127.0.0.1", () => done(true))
      })
      if (bound) return new DnsServer(udp, tcp)
      udp.close()
    }
  }

  /** `127.0.0.1:port`, for ResolverOptions.servers. */
  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Sets or replaces what is said for a name; null = it does not exist. */
  say(name: string, rule: DnsRule | null): void {
    if (rule === null) this.rules.delete(name)
    else this.rules.set(name, rule)
  }

  /** From now on no query is answered (true) or again (false). */
  silence(down: boolean): void {
    this.down = down
  }

  /** Queries for a name so far, of one type or all. */
  count(name: string, type?: Uppercase<Kind>): number {
    return this.queries.filter(query => query.name === name && (type === undefined || query.type === type)).length
  }

  stop(): void {
    this.udp.close()
    this.tcp.close()
    for (const socket of this.connections) socket.destroy()
  }

  private accept(socket: TcpSocket): void {
    this.connections.add(socket)
    socket.on("close", () => this.connections.delete(socket))
    socket.on("error", () => {})
    let received = Buffer.alloc(0)
    socket.on("data", chunk => {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      this.take(received.subarray(2), "tcp", socket.remotePort ?? 0, answer =>
        socket.end(Buffer.concat([Uint8Array.of(answer.length >>> 8, answer.length & 255), answer])),
      )
    })
  }

  /** Answers a query that came another way. */
  take(query: Uint8Array, transport: SeenQuery["transport"], fromPort: number, reply: (answer: Uint8Array) => void): void {
    const message = decodeMessage(query)
    if (typeof message === "string") return
    const { name, type } = message.questions[0]!
    const kind = kinds[type]!
    this.queries.push({ name, type: kind.toUpperCase() as Uppercase<Kind>, transport, fromPort, id: message.id, edns: query[11] === 1 })
    const rule = this.rules.get(name) ?? { rcode: RCODE_NO_NAME }
    if (this.down || rule.silent === true || rule.silent === kind) return
    const answer =
      transport === "udp" && rule.truncated === true
        ? encodeAnswer(query, { flags: 0x8380, answers: [], authorities: [] })
        : this.answer(query, name, kind)
    const messages = rule.forge?.(query, answer) ?? [answer]
    const send = () => messages.forEach(reply)
    if (rule.delayMs === undefined) send()
    else setTimeout(send, rule.delayMs)
  }

  private answer(query: Uint8Array, asked: string, kind: Kind): Uint8Array {
    const answers: Uint8Array[] = []
    let name = asked
    let rule = this.rules.get(name)
    for (let i = 0; i < 20 && rule?.cname !== undefined; i++) {
      answers.push(encodeRecord(name, TYPE_CNAME, rule.ttl ?? 60, encodeName(rule.cname)))
      name = rule.cname
      rule = this.rules.get(name)
    }
    const code = rule === undefined ? RCODE_NO_NAME : rule.rcode
    const rcode = (typeof code === "object" ? code[kind] : code) ?? RCODE_OK
    for (const data of rule === undefined ? [] : recordData(rule, kind)) {
      answers.push(encodeRecord(name, typeOf[kind], rule?.ttl ?? 60, data))
    }
    const soa = rule?.negativeTtl
    const authorities = soa === undefined ? [] : [encodeRecord("test", TYPE_SOA, soa, Uint8Array.of(0, 0, ...new Uint8Array(16), ...uint32(soa)))]
    return encodeAnswer(query, { flags: 0x8180 | rcode, answers, authorities })
  }
}

function recordData(rule: DnsRule, kind: Kind): readonly Uint8Array[] {
  if (kind === "https") return rule.https ?? []
  return (rule[kind] ?? []).map(address => {
    const octets = new Uint8Array(16)
    return octets.subarray(0, writeIp(address, octets, 0))
  })
}

/** The message that answers `query`: its id and question, then the records. */
export function encodeAnswer(
  query: Uint8Array,
  parts: { flags: number; answers: readonly Uint8Array[]; authorities: readonly Uint8Array[] },
): Uint8Array {
  const question = query.subarray(12, query.indexOf(0, 12) + 5)
  const head = [query[0]!, query[1]!, parts.flags >>> 8, parts.flags & 255, 0, 1, 0, parts.answers.length, 0, parts.authorities.length, 0, 0]
  return Uint8Array.from(Buffer.concat([Uint8Array.from(head), question, ...parts.answers, ...parts.authorities]))
}

/** A record of class IN, without compression. */
export function encodeRecord(name: string, type: number, ttl: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(...encodeName(name), type >>> 8, type & 255, 0, 1, ...uint32(ttl), data.length >>> 8, data.length & 255, ...data)
}

/** What an HTTPS record holds: `params` are octets by key, written in the order given. */
export function httpsData(priority: number, target: string, params: readonly (readonly [key: number, value: readonly number[]])[] = []): Uint8Array {
  const written = params.flatMap(([key, value]) => [key >>> 8, key & 255, value.length >>> 8, value.length & 255, ...value])
  return Uint8Array.of(priority >>> 8, priority & 255, ...encodeName(target), ...written)
}

/** The value of the parameter "alpn". */
export function alpnValue(...protocols: string[]): number[] {
  return protocols.flatMap(protocol => [protocol.length, ...Buffer.from(protocol)])
}

/** A name of plain labels. */
export function encodeName(name: string): Uint8Array {
  const labels = name === "" ? [] : name.split(".")
  return Uint8Array.from([...labels.flatMap(label => [label.length, ...Buffer.from(label)]), 0])
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
}
