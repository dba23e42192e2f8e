import { isIP } from "node:net"
import type { ConfigInput } from "../../../config/index.ts"
import { accessLogOf } from "../quick-config.ts"
import { UsageError } from "../usage-error.ts"
import { type ExitAddress, formatExit, readExitAddress } from "./exit-address.ts"

/** Flags of `bothways tunnel` that the config is made from. */
export interface TunnelOptions {
  readonly via: string
  readonly listen: readonly string[]
  readonly serverName?: string
  /** The token itself, out of --token-file. */
  readonly token?: string
  readonly user?: string
  readonly passwordFile?: string
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
  readonly http3?: boolean
  readonly padding?: boolean
  /** Addresses of the exit, looked up already; null = the config has its name, which is looked up again now and then. */
  readonly addresses: readonly string[] | null
  /** This machine's connections are captured; `killSwitch`: the rules outlive this process. */
  readonly everything?: boolean
  readonly killSwitch?: boolean
  readonly wait: string
  readonly log: string
}

/** Places of the config that `bothways tunnel` stands for, and the flags that fill them. */
export const tunnelFlags = {
  "listeners.tunnel.bind": "--listen",
  "clusters.exit.peers": "--via",
  "clusters.exit.tls.ca": "--ca",
  "clusters.exit.tls.cert": "--cert",
  "clusters.exit.tls.key": "--key",
  "clusters.exit.tls.serverName": "--server-name",
  "clusters.exit.parent.user": "--user",
  "clusters.exit.parent.passwordFile": "--password-file",
  "clusters.exit.pool.reconnect": "--wait",
  "listeners.captured.bind": "--everything",
  "listeners.names.bind": "--everything",
  capture: "--everything",
  "admin.bind": "--status-bind",
} as const

const EVERY_PORT = ["1-65535"]
/** What one download gets through in a round trip: 40 MB/s where that takes 0.1 s. */
export const tunnelWindows = { streamWindow: "4MB", connectionWindow: "16MB" }

/** The config that `bothways tunnel` stands for. There is one route and one destination: whatever comes in goes to the exit, or nowhere. */
export function tunnelConfig(options: TunnelOptions): ConfigInput {
  checkLogin(options)
  const exit = readExitAddress(options.via)
  const captured = options.everything === true ? capture(options) : { listeners: {}, capture: {} }
  const config = {
    listeners: { tunnel: { bind: [...options.listen], via: false, forward: localForward }, ...captured.listeners },
    ...captured.capture,
    clusters: { exit: exitCluster(exit, options) },
    routes: [
      {
        name: "tunnel",
        match: { listener: options.everything === true ? ["tunnel", "captured"] : "tunnel" },
        to: { origin: { via: "exit" } },
        upgrade: ["websocket", "connect-udp"],
      },
    ],
    observe: { accessLog: accessLogOf(options.log) },
  }
  return config as unknown as ConfigInput
}

/** What may be asked for is the exit's to decide: here is nothing that a rule could protect. */
const localForward = {
  socks: { udp: "on" },
  privateRanges: "allow",
  connectPorts: EVERY_PORT,
  ports: EVERY_PORT,
  udpPorts: EVERY_PORT,
  privacy: "anonymous",
}

/** Where captured connections and their queries for names come in. */
const CAPTURED_BIND = "127.0.0.1:11080"
const NAMES_BIND = "127.0.0.1:11053"
/** Mark of the tunnel's own sockets, by which the rules let them out. */
export const tunnelMark = 25_207

/** All that this machine opens comes in by redirect, names get addresses that stand for them, and what cannot come in is rejected. */
function capture({ addresses, killSwitch }: TunnelOptions): { listeners: object; capture: object } {
  const spare = (addresses ?? []).map(address => (isIP(address) === 6 ? `${address}/128` : `${address}/32`))
  return {
    listeners: {
      captured: { bind: CAPTURED_BIND, via: false, forward: { ...localForward, socks: false, transparent: "redirect" } },
      names: { bind: NAMES_BIND, dns: "stand-in" },
    },
    capture: {
      capture: {
        machine: { listener: "captured" },
        dns: "names",
        mark: tunnelMark,
        spare,
        udp: "reject",
        ipv6: "reject",
        killSwitch: killSwitch === true,
      },
    },
  }
}

function exitCluster(exit: ExitAddress, options: TunnelOptions): object {
  const { token, user, passwordFile, cert, key, ca, http3 } = options
  const serverName = options.serverName ?? (isIP(exit.host) === 0 ? exit.host : undefined)
  return {
    peers: (options.addresses ?? [exit.host]).map(host => formatExit({ host, port: exit.port })),
    parent: { kind: "https", ...given({ token, user, passwordFile }) },
    protocol: http3 === true ? "http3" : "http2",
    // Of TLS 1.2 an onlooker learns our certificate.
    tls: { minVersion: "1.3", ...given({ ca, cert, key, serverName }) },
    http2: { ...tunnelWindows, padding: options.padding === true, pingAfter: "5s", pongWithin: "4s", pingIdle: true },
    // One connection; another only when this one has as many streams as the exit takes.
    pool: { connectionsMax: 8, streamsMax: 10_000, idleTimeout: "24h", waitTimeout: "10s", waitersMax: 4096, reconnect: options.wait },
    timeouts: { connect: "5s", head: "60s", idle: "5m" },
    retry: { attempts: 3 },
    // Of several addresses one: the others are for when it does not answer.
    balance: { "consistent-hash": { key: "client", load: "off" } },
  }
}

function given(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function checkLogin({ token, user, passwordFile, cert, key }: TunnelOptions): void {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("--cert and --key go together")
  if ((user === undefined) !== (passwordFile === undefined)) throw new UsageError("--user and --password-file go together")
  if (token !== undefined && user !== undefined) throw new UsageError("--token-file and --user: the exit takes one log-in of a request, not two")
  if (token === undefined && user === undefined && cert === undefined)
    throw new UsageError("an exit wants to know who comes: give --token-file, --cert and --key, or --user and --password-file")
}
