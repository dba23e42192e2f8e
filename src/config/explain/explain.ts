import { assert, formatAddress, normaliseIp } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import type { Config } from "../schema.ts"
import { chooseListener, type ChosenListener } from "./choose-listener.ts"
import { DryPeers, type LiveCluster } from "./dry-peers.ts"
import { DryRun, stillTime } from "./dry-run.ts"
import { DryWire } from "./dry-wire.ts"
import { ExplainError } from "./explain-error.ts"
import type { Explanation, ListenerFacts } from "./explanation.ts"
import { Findings } from "./findings.ts"
import { type ExplainRequest, readTarget, requestText, type Target } from "./request-text.ts"
import { plain } from "./shown.ts"

export interface ExplainOptions {
  /** Directory that relative paths of the config count from. */
  readonly baseDir: string
  /** What a running instance says of its peers; null = nothing is running. */
  readonly live: readonly LiveCluster[] | null
  /** Longest wait for a filter or a file, in milliseconds. Default 5000. */
  readonly waitMs?: number
}

/**
 * What `config` does with a request, found by the code of the data path itself; opens no connection and resolves no name.
 * Throws ExplainError when the question makes no sense or the config cannot be used, never for a request that is refused.
 */
export async function explain(config: Config, request: ExplainRequest, options: ExplainOptions): Promise<Explanation> {
  const target = readTarget(request.method, request.url)
  const listener = chooseListener(config, request.method, target, request.listener)
  const text = requestText(request, target, listener.config.forward !== null)
  const from = clientAddress(request.from)
  const time = stillTime(request.at)
  const peers = new DryPeers(config, options.live ?? [], time.clock)
  const findings = new Findings(config, listener, peers)
  const run = dryRun(config, listener, { findings, peers, time, options, request })
  await run.send(text.head, new DryWire(from === "unix" ? "" : from, localAddress(listener, target), target.host))
  const facts = findings.facts
  assert(facts !== null, "a way has an end")
  const asked = { method: plain(request.method), target: plain(text.target), fields: text.fields.map(plain), from }
  const identity = facts.identity !== null && request.user !== undefined ? { ...facts.identity, assumed: true } : facts.identity
  return { request: asked, listener: listenerFacts(listener), ...facts, identity }
}

interface RunParts {
  readonly findings: Findings
  readonly peers: DryPeers
  readonly time: ReturnType<typeof stillTime>
  readonly options: ExplainOptions
  readonly request: ExplainRequest
}

function dryRun(config: Config, listener: ChosenListener, { findings, peers, time, options, request }: RunParts): DryRun {
  try {
    const run: DryRun = new DryRun({
      config,
      baseDir: options.baseDir,
      listener: listener.name,
      peers,
      time,
      user: request.user ?? "",
      groups: request.groups ?? [],
      waitMs: options.waitMs ?? 5000,
      before: (stage, x) => findings.before(stage, x, run),
      atEnd: (end, x: Exchange) => findings.atEnd(end, x, run),
    })
    return run
  } catch (error) {
    throw new ExplainError(`the config cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function clientAddress(from: string): string {
  const address = from === "unix" ? from : normaliseIp(from)
  if (address === null) throw new ExplainError(`expected the client's address such as 203.0.113.7, or unix, got ${JSON.stringify(from)}`)
  return address
}

/** Where the connection came in: the bind that the URL names, or the first. */
function localAddress({ config }: ChosenListener, target: Target): { address: string; port: number } {
  const binds = config.bind.filter(bind => "port" in bind)
  const bind = binds.find(one => one.port === target.port) ?? binds[0]
  return bind === undefined ? { address: "", port: 0 } : { address: normaliseIp(bind.host) ?? "127.0.0.1", port: bind.port }
}

function listenerFacts({ name, config, because }: ChosenListener): ListenerFacts {
  const captured = (config.forward?.transparent ?? null) !== null
  return { name, because, bind: config.bind.map(bind => formatAddress(bind)), tls: config.tls !== null, forward: config.forward !== null, captured }
}
