import { log } from "../../base/index.ts"
import type { BodyFeed } from "./body-feed.ts"
import { IcapConnection, IcapError, type IcapServer } from "./icap-connection.ts"

/** What is asked about: header sections as they stand on the wire, each with its empty line, and the body behind them. */
export interface Question {
  readonly method: "REQMOD" | "RESPMOD"
  readonly service: string
  readonly requestHead: string
  /** "" = a request is asked about. */
  readonly responseHead: string
  /** null = there is none. */
  readonly body: BodyFeed | null
  /** Further fields, ready-made lines. */
  readonly lines: string
}

/** What the server says: go on as it is; or a message that takes the place of the one that was asked about. */
export type Verdict =
  | { readonly kind: "unchanged" }
  /** The body is larger than what waits in memory. */
  | { readonly kind: "too-large" }
  | { readonly kind: "request" | "response"; readonly head: string; readonly body: Buffer; readonly why: string }

/** What a service says of itself (OPTIONS, RFC 3507 section 4.10). */
interface Service {
  readonly preview: number | null
  readonly allows204: boolean
  readonly expiresAt: number
}

const SERVICE_LIFE_MS = 3_600_000
/** A service that could not be asked is asked again after this. */
const UNKNOWN_LIFE_MS = 10_000
const IDLE_MAX = 16

/** Asks one server, over kept connections (RFC 3507). */
export class IcapClient {
  private readonly server: IcapServer
  private readonly connectionsMax: number
  /** Octets of preview; null = none, undefined = as each service says. */
  private readonly preview: number | null | undefined
  private readonly bytesMax: number
  private readonly idle: IcapConnection[] = []
  private open = 0
  private readonly waiting: (() => void)[] = []
  private readonly services = new Map<string, Promise<Service>>()

  constructor(server: IcapServer, options: { connectionsMax: number; preview: number | null | undefined; bytesMax: number }) {
    this.server = server
    this.connectionsMax = options.connectionsMax
    this.preview = options.preview
    this.bytesMax = options.bytesMax
  }

  /** Asks once; a kept connection that the server has closed meanwhile is replaced. Throws IcapError. */
  async ask(question: Question): Promise<Verdict> {
    const service = await this.serviceOf(question.service)
    for (;;) {
      const connection = await this.acquire()
      const { served } = connection
      let begun = false
      try {
        const verdict = await this.askOver(connection, question, service, () => void (begun = true))
        // It waits for the rest of a body that will not come.
        if (verdict.kind === "too-large") this.drop(connection)
        else this.release(connection)
        return verdict
      } catch (error) {
        this.drop(connection)
        if (served > 0 && !begun && error instanceof IcapError) continue
        throw error
      }
    }
  }

  private async askOver(connection: IcapConnection, question: Question, service: Service, begun: () => void): Promise<Verdict> {
    const { body } = question
    const preview = body === null ? null : this.preview === undefined ? service.preview : this.preview
    if (body !== null && preview !== null) await body.atLeast(preview)
    connection.work()
    connection.write(this.headOf(question, service, body === null ? null : preview))
    if (body !== null) {
      if (preview === null) {
        if (!(await sendRest(connection, body, 0))) return { kind: "too-large" }
      } else {
        const first = body.first(preview)
        if (first.length > 0) writeChunk(connection, first)
        connection.write(body.isWholeWithin(preview) ? "0; ieof\r\n\r\n" : "0\r\n\r\n")
      }
    }
    let head = await connection.head()
    begun()
    if (statusOf(head) === 100 && body !== null) {
      if (!(await sendRest(connection, body, preview ?? 0))) return { kind: "too-large" }
      head = await connection.head()
    }
    return this.read(connection, head)
  }

  private headOf({ method, service, requestHead, responseHead, body, lines }: Question, { allows204 }: Service, preview: number | null): string {
    const end = requestHead.length + responseHead.length
    const last = `${body === null ? "null" : method === "REQMOD" ? "req" : "res"}-body=${end}`
    const sections = responseHead === "" ? `req-hdr=0, ${last}` : `req-hdr=0, res-hdr=${requestHead.length}, ${last}`
    return (
      `${method} ${this.urlOf(service)} ICAP/1.0\r\nHost: ${this.server.host}\r\n${allows204 ? "Allow: 204\r\n" : ""}` +
      `${preview === null ? "" : `Preview: ${preview}\r\n`}${lines}Encapsulated: ${sections}\r\n\r\n${requestHead}${responseHead}`
    )
  }

  private urlOf(service: string): string {
    const { host, port, secure } = this.server
    return `${secure ? "icaps" : "icap"}://${host.includes(":") ? `[${host}]` : host}:${port}/${service.replace(/^\//, "")}`
  }

  private async read(connection: IcapConnection, head: string): Promise<Verdict> {
    const status = statusOf(head)
    if (status === 204) return { kind: "unchanged" }
    if (status !== 200) throw new IcapError(`the server says ${head.split("\r\n", 1)[0]}`)
    const sections = sectionsOf(fieldOf(head, "encapsulated"))
    let message = ""
    let kind: "request" | "response" | null = null
    for (const [i, { name, at }] of sections.entries()) {
      if (!name.endsWith("-hdr")) continue
      const next = sections[i + 1]
      if (next === undefined || next.at <= at) throw new IcapError("the server's Encapsulated field makes no sense")
      message = (await connection.bytes(next.at - at)).latin1Slice()
      kind = name === "res-hdr" ? "response" : "request"
    }
    if (kind === null) throw new IcapError("the server's answer has no message in it")
    const hasBody = sections.some(({ name }) => name === "res-body" || name === "req-body")
    const body = hasBody ? await connection.chunked(this.bytesMax) : Buffer.alloc(0)
    const why =
      ["x-infection-found", "x-violations-found", "x-virus-id", "x-response-desc"].map(name => fieldOf(head, name)).find(text => text !== "") ?? ""
    return { kind, head: message, body, why: why.slice(0, 200) }
  }

  // ---- services

  private serviceOf(name: string): Promise<Service> {
    const known = this.services.get(name)
    if (known !== undefined) return known
    const asked = this.options(name).catch((error: unknown): Service => {
      log.warn("filter", "an ICAP service does not say what it can", { service: this.urlOf(name), error: String((error as Error).message) })
      return { preview: null, allows204: true, expiresAt: Date.now() + UNKNOWN_LIFE_MS }
    })
    this.services.set(name, asked)
    void asked.then(service => {
      const timer = setTimeout(() => this.services.delete(name), Math.max(1000, service.expiresAt - Date.now()))
      timer.unref()
    })
    return asked
  }

  private async options(name: string): Promise<Service> {
    const connection = await this.acquire()
    try {
      connection.work()
      connection.write(`OPTIONS ${this.urlOf(name)} ICAP/1.0\r\nHost: ${this.server.host}\r\nEncapsulated: null-body=0\r\n\r\n`)
      const head = await connection.head()
      if (statusOf(head) !== 200) throw new IcapError(`the server says ${head.split("\r\n", 1)[0]}`)
      this.release(connection)
      const preview = fieldOf(head, "preview")
      const seconds = Number(fieldOf(head, "options-ttl"))
      return {
        preview: /^\d{1,6}$/.test(preview) ? Math.min(65_536, Number(preview)) : null,
        allows204: /\b204\b/.test(fieldOf(head, "allow")),
        expiresAt: Date.now() + (seconds > 0 ? Math.min(seconds * 1000, SERVICE_LIFE_MS) : SERVICE_LIFE_MS),
      }
    } catch (error) {
      this.drop(connection)
      throw error
    }
  }

  // ---- connections

  private async acquire(): Promise<IcapConnection> {
    for (;;) {
      const kept = this.idle.pop()
      if (kept !== undefined) {
        if (kept.usable) return kept
        this.drop(kept)
        continue
      }
      if (this.open < this.connectionsMax) break
      await this.turn()
    }
    this.open++
    try {
      return await IcapConnection.open(this.server)
    } catch (error) {
      this.freed()
      throw error
    }
  }

  /** Waits for a connection to become free, for as long as for any answer. */
  private turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(go), 1)
        reject(new IcapError("all connections to the server are in use"))
      }, this.server.timeoutMs)
      this.waiting.push(go)
    })
  }

  private release(connection: IcapConnection): void {
    connection.served++
    connection.rest()
    if (!connection.usable || this.idle.length >= IDLE_MAX) return this.drop(connection)
    this.idle.push(connection)
    this.waiting.shift()?.()
  }

  private drop(connection: IcapConnection): void {
    connection.close()
    this.freed()
  }

  private freed(): void {
    this.open--
    this.waiting.shift()?.()
  }
}

/** The body from `from` on, as it comes; false = it is larger than what waits in memory. */
async function sendRest(connection: IcapConnection, body: BodyFeed, from: number): Promise<boolean> {
  let at = from
  for (;;) {
    await body.atLeast(at + 1)
    if (body.over) return false
    const part = body.slice(at)
    if (part.length > 0) writeChunk(connection, part)
    at += part.length
    if (body.ended && at >= body.length) break
  }
  connection.write("0\r\n\r\n")
  return true
}

function writeChunk(connection: IcapConnection, octets: Uint8Array): void {
  connection.write(`${octets.length.toString(16)}\r\n`)
  connection.write(octets)
  connection.write("\r\n")
}

function statusOf(head: string): number {
  const found = /^ICAP\/1\.[01] (\d{3})\b/.exec(head)
  if (found === null) throw new IcapError("what answers is no ICAP server")
  return Number(found[1])
}

/** The first field of this name, "" = there is none. */
function fieldOf(head: string, name: string): string {
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":")
    if (colon > 0 && line.slice(0, colon).trim().toLowerCase() === name) return line.slice(colon + 1).trim()
  }
  return ""
}

function sectionsOf(value: string): { name: string; at: number }[] {
  return value
    .split(",")
    .map(part => /^\s*([a-z]+-[a-z]+)\s*=\s*(\d{1,7})\s*$/.exec(part))
    .map(found => {
      if (found === null) throw new IcapError("the server's Encapsulated field makes no sense")
      return { name: found[1]!, at: Number(found[2]) }
    })
}
