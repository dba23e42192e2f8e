import { type Address, formatAddress } from "../base/index.ts"
import { createServer } from "node:net"
import type { Config } from "../config/index.ts"
import { probeBind } from "../net/index.ts"
import type { ReloadProblem } from "./protocol.ts"

/** One address that the config wants bound. */
export interface WantedBind {
  /** `listeners.web.bind`, with an index when there are several; `admin.bind`. */
  readonly where: string
  readonly bind: Address
}

export function listenerBinds(config: Config): WantedBind[] {
  return Object.entries(config.listeners).flatMap(([name, { bind, udp }]) =>
    // Ports of UDP are others; binding them says whether they are taken.
    (udp === null ? bind : []).map((one, i) => ({ where: `listeners.${name}.bind${bind.length > 1 ? `[${i}]` : ""}`, bind: one })),
  )
}

export function adminBind(config: Config): WantedBind[] {
  return config.admin === null ? [] : [{ where: "admin.bind", bind: config.admin.bind }]
}

/**
 * What is taken among `wanted`. Workers bind with SO_REUSEPORT, which would share the port with another instance of ours without a word,
 * so the probe comes first and binds without it. Addresses in `ours` are bound by this process already,
 * and would make the probe fail for the same port on another of the machine's addresses; there the bind itself decides.
 */
export function takenBinds(wanted: readonly WantedBind[], ours: readonly Address[], flags: Readonly<Record<string, string>>): ReloadProblem[] {
  const problems: ReloadProblem[] = []
  for (const { where, bind } of wanted) {
    if (ours.some(one => overlaps(one, bind))) continue
    try {
      probeBind("path" in bind ? { path: bind.path } : { host: bind.host, port: bind.port })
    } catch (error) {
      const change = flags[where] ?? `${where} in the config`
      problems.push({ message: `${(error as Error).message}; choose another with ${change}`, where: "", expected: "", kind: "port" })
    }
  }
  return problems
}

function overlaps(a: Address, b: Address): boolean {
  if ("path" in a || "path" in b) return formatAddress(a) === formatAddress(b)
  return a.port === b.port && (a.host === b.host || isEverywhere(a.host) || isEverywhere(b.host))
}

function isEverywhere(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::"
}

/** The config with a free port in place of each port 0, so that all workers bind the same one. `before` = what an earlier config got for the same places. */
export async function settlePorts(config: Config, before: Map<string, number>): Promise<Config> {
  const listeners: Config["listeners"] = {}
  for (const [name, listener] of Object.entries(config.listeners)) {
    const bind: Address[] = []
    for (const [i, one] of listener.bind.entries())
      bind.push("path" in one || one.port !== 0 ? one : { host: one.host, port: await portFor(`${name}[${i}] ${one.host}`, one.host, before) })
    listeners[name] = { ...listener, bind }
  }
  return { ...config, listeners }
}

async function portFor(key: string, host: string, before: Map<string, number>): Promise<number> {
  const port = before.get(key) ?? (await freePort(host))
  before.set(key, port)
  return port
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen({ host: host === "" ? undefined : host, port: 0 }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
}
