import { FakeClock, TimerWheel } from "../base/index.ts"
import {
  acquireExchange,
  ANSWER,
  begin,
  deliver,
  DONE,
  type Exchange,
  type OwnRequest,
  type Plan,
  setLocalResponse,
  type Step,
} from "../flow/index.ts"
import { ServerConnection, type ServerHooks } from "../http/index.ts"
import type { ConnectionInfo, Wire, WireHandler } from "../net/index.ts"
import type { ClusterHandle, Filter, FilterDeps, OwnDone } from "../plugin/index.ts"

/** What filters are built with, over files in memory. */
export class FakeDeps implements FilterDeps {
  readonly place = "routes/test/filter#0"
  readonly time = { clock: new FakeClock(), wheel: new TimerWheel(0) }
  /** Memory by key. */
  readonly memory = new Map<string, SharedArrayBuffer>()
  /** Own requests that were sent, by the cluster's name. */
  readonly sent: { readonly cluster: string; readonly request: OwnRequest; readonly done: OwnDone; cancelled: boolean }[] = []
  readonly counts = new Map<string, number>()
  /** Limits of exchanges in milliseconds, in order. */
  readonly limits: number[] = []
  private slots = 0
  private readonly files: Record<string, string>
  private readonly watchers = new Map<string, (content: string) => void>()

  constructor(files: Record<string, string> = {}) {
    this.files = files
  }

  slot(): number {
    return this.slots++
  }

  counter(name: string): { add(n: number): void } {
    return { add: n => this.counts.set(name, (this.counts.get(name) ?? 0) + n) }
  }

  shared(key: string, bytes: number): SharedArrayBuffer {
    const known = this.memory.get(key) ?? new SharedArrayBuffer(bytes)
    this.memory.set(key, known)
    return known
  }

  cluster(name: string): ClusterHandle {
    return {
      name,
      send: (request, done) => {
        const own = { cluster: name, request, done, cancelled: false }
        this.sent.push(own)
        return { cancel: () => void (own.cancelled = true) }
      },
    }
  }

  limit(_: Exchange, ms: number): void {
    this.limits.push(ms)
  }

  path(name: string): string {
    return `/etc/${name}`
  }

  watchFile(path: string, changed: (content: string) => void): string {
    this.watchers.set(path, changed)
    return this.files[path] ?? ""
  }

  /** The file has a new content. */
  change(path: string, content: string): void {
    this.watchers.get(path)!(content)
  }
}

class FakeWire implements Wire {
  data!: WireHandler
  output = ""
  ended = false
  readonly remoteAddress = "192.0.2.1"
  readonly remotePort = 1
  readonly localAddress = "192.0.2.2"
  readonly localPort = 2

  write(data: string | Uint8Array, byteOffset = 0, byteLength?: number): number {
    const octets = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const part = octets.subarray(byteOffset, byteLength === undefined ? undefined : byteOffset + byteLength)
    this.output += part.toString("latin1")
    return part.length
  }

  end(): void {
    this.ended = true
  }
  shutdown(): void {
    this.ended = true
  }
  terminate(): void {
    this.ended = true
  }
  pause(): void {}
  resume(): void {}
}

/** What a request met: the codes of faults and the users, in order. */
export interface Seen {
  readonly faults: string[]
  readonly users: string[]
  /** Request sections as they would go upstream. */
  readonly sent: string[]
}

/** A client connection whose every request runs through one filter and is answered 404 by whoever is behind it. */
export class FilterRun {
  readonly seen: Seen = { faults: [], users: [], sent: [] }
  private readonly wire = new FakeWire()
  private readonly connection: ServerConnection
  private current: Exchange | null = null

  constructor(filter: Filter, answer = "Content-Type: text/plain\r\n", info: Partial<ConnectionInfo> = {}) {
    const clock = new FakeClock()
    const plan = planOf(filter, this.seen, answer)
    const hooks: ServerHooks = {
      limits: { headBytesMax: 65_536, fieldsMax: 100, targetBytesMax: 8192, requestsMax: 0 } as ServerHooks["limits"],
      timeouts: { head: 0, idle: 0, body: 0, bodyRateMin: 0, write: 0, writeRateMin: 0 },
      secure: false,
      forward: false,
      http2: false,
      altSvc: "",
      closing: false,
      time: { clock, wheel: new TimerWheel(clock.now()) },
      acquire: down => {
        this.current = acquireExchange()
        this.current.down = down
        this.current.clientAddress = "192.0.2.1"
        return this.current
      },
      recycle: m => (m as Exchange).release(),
      start: m => {
        const x = m as Exchange
        x.plan = plan
        begin(x)
      },
      refuse: (_, fault) => this.seen.faults.push(fault.code),
      replaced: () => {},
      faulted: () => {},
      closed: () => {},
    }
    this.connection = new ServerConnection(this.wire, info as ConnectionInfo, hooks)
    this.wire.data = this.connection
  }

  /** Sends octets and gives what has been answered by then. */
  send(text: string): string {
    this.wire.output = ""
    this.connection.onData(this.wire, Buffer.from(text, "latin1"))
    return this.wire.output
  }

  /** Sends and waits for an answer. */
  async ask(text: string): Promise<string> {
    this.send(text)
    for (let i = 0; i < 2000 && this.wire.output === ""; i++) await Bun.sleep(1)
    return this.wire.output
  }

  get output(): string {
    return this.wire.output
  }

  get closed(): boolean {
    return this.wire.ended
  }

  /** The client closes the connection. */
  leave(): void {
    this.connection.onClose(this.wire, null)
  }
}

function planOf(filter: Filter, seen: Seen, answer: string): Plan {
  const steps: Step[] = []
  for (const phase of [filter.identify, filter.access, filter.request]) if (phase !== undefined) steps.push(phase as Step)
  steps.push(x => {
    seen.sent.push(x.request.render())
    setLocalResponse(x, 404, answer, Buffer.from("reached\n"))
    return ANSWER
  })
  const respondAt = steps.length
  if (filter.response !== undefined) steps.push(filter.response as Step)
  steps.push(deliver, x => {
    seen.faults.push(x.fault?.code ?? "")
    seen.users.push(x.user)
    return DONE
  })
  const route = { name: "route", index: 0, cluster: "cluster", metrics: 0 }
  return { steps, respondAt, peerAt: -1, logAt: steps.length - 1, retry: null, bodyBytesMax: 0, requestMs: 0, route } as unknown as Plan
}
