import { FakeClock, normaliseIp, TimerWheel } from "../../base/index.ts"
import { begin, Exchange } from "../../flow/index.ts"
import { type Message, parseRequestHead, refusal, WordlessDownstream } from "../../http/index.ts"
import type { DialTarget } from "../../net/index.ts"
import { endpointName, HEALTH_DOWN, type OriginResolver, PeerStates } from "../../upstream/index.ts"
import { compileSnapshot } from "../compile/compile.ts"
import type { CompileDeps, SlottedPeer } from "../compile/compile-deps.ts"
import type { Config } from "../schema.ts"
import type { LiveCluster } from "./dry-peers.ts"
import { DryWire } from "./dry-wire.ts"
import type { Asked } from "./random-cases.fixture.ts"

/** What the data path did. */
export interface Outcome {
  kind: "fault" | "reply" | "peer" | "origin" | "name"
  route: string
  code: string
  status: number
  cluster: string
  /** Whom it was about to dial. */
  target: string
}

function outcomeOf(x: Exchange, kind: Outcome["kind"], target = ""): Outcome {
  const { name = "", cluster: of = "" } = x.plan?.route ?? {}
  return { kind, route: name, code: x.fault?.code ?? "", status: x.status, cluster: of, target }
}

/** The client's side: takes everything, notes the status. */
class Client extends WordlessDownstream {
  readonly info = new DryWire("192.0.2.1", { address: "192.0.2.2", port: 80 }, "").info(false)
  status = 0
  sendHead(m: Message): void {
    this.status = m.status
  }
  abort(): void {}
  takeTunnel(): never {
    throw new Error("no tunnel without an upstream")
  }
}

function headOf({ listener, method, host: name, port: suffix, path: rest, headers }: Asked): string {
  const authority = name + suffix
  const origin = rest.startsWith("/") ? rest : `/${rest}`
  const target =
    method === "CONNECT"
      ? authority + (suffix === "" ? ":443" : "")
      : listener === "egress"
        ? `http://${authority}${rest === "" ? "/" : rest}`
        : origin
  const hosts = headers.some(line => line.startsWith("Host:")) ? [] : [`Host: ${method === "CONNECT" ? target : authority}`]
  return [`${method} ${target} HTTP/1.1`, ...hosts, ...headers, "", ""].join("\r\n")
}

/** Sends one request through a snapshot and an engine with nothing but stubs around them. */
export function runDataPath(config: Config, live: readonly LiveCluster[], asked: Asked): Outcome {
  const path = new DataPath()
  const snapshot = compileSnapshot(1, config, path.deps(config, live), null)
  const { listener } = asked
  const { x } = path
  x.listener = { name: listener, index: listener === "web" ? 0 : 1, secure: false, forward: listener === "egress" }
  x.peerAddress = asked.from
  x.clientAddress = asked.from
  const head = headOf(asked)
  if (parseRequestHead(Buffer.from(head, "latin1"), 0, head, x, config.listeners[listener]!.limits) < 0) {
    return { kind: "fault", route: "", code: refusal.fault.code, status: refusal.fault.status, cluster: "", target: "" }
  }
  x.plan = snapshot.entries.get(listener)!
  begin(x)
  return path.outcome!
}

class DataPath {
  readonly x = new Exchange()
  outcome: Outcome | null = null
  private readonly client = new Client()

  constructor() {
    this.x.down = this.client
  }

  deps(config: Config, live: readonly LiveCluster[]): CompileDeps {
    const clock = new FakeClock()
    const states = PeerStates.create(32, 2, clock)
    return {
      time: { clock, wheel: new TimerWheel(clock.now()) },
      states,
      ...peersOf(config, live, states),
      resolver: { lookup: (name, done) => this.lookup(name, done) },
      metrics: null,
      layout: null,
      accessLog: null,
      instanceId: "INSTANCE",
      baseDir: "/",
      refreshPeers() {},
      ended: x => this.ended(x),
      watchFile: () => "",
      ownAddresses: [],
      dial: target => this.dial(target),
    }
  }

  private lookup(name: string, done: Parameters<OriginResolver["lookup"]>[1]): void {
    const literal = normaliseIp(name)
    if (literal !== null) done(null, [{ address: literal }])
    else if (name === "localhost") done(null, [{ address: "::1" }, { address: "127.0.0.1" }])
    else if (name.endsWith(".invalid")) done(new Error("no such name"), [])
    else this.outcome ??= outcomeOf(this.x, "name")
  }

  private dial(target: DialTarget): { cancel(): void } {
    const place = "path" in target ? target.path : endpointName({ address: target.host, port: target.port, path: "" })
    this.outcome ??= outcomeOf(this.x, this.x.plan!.route.cluster === "" ? "origin" : "peer", place)
    return { cancel() {} }
  }

  private ended(x: Exchange): void {
    this.outcome ??= { ...outcomeOf(x, x.fault === null ? "reply" : "fault"), status: this.client.status }
  }
}

function peersOf(config: Config, live: readonly LiveCluster[], states: PeerStates): Pick<CompileDeps, "peers" | "clusterSlots"> {
  let slots = 0
  const peers: Record<string, SlottedPeer[]> = {}
  for (const [name, { peers: list }] of Object.entries(config.clusters)) {
    const known = live.find(one => one.name === name)!.peers
    peers[name] = list.map(entry => ({ ...entry, address: entry.host, slot: slots++ }))
    for (const peer of peers[name])
      if (known.find(one => one.name === endpointName(peer))!.health === "down") states.setHealth(peer.slot, HEALTH_DOWN)
  }
  return { peers, clusterSlots: { one: slots++, two: slots++ } }
}
