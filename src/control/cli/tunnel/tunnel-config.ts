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
  "admin.bind": "--status-bind",
} as const

const EVERY_PORT = ["1-65535"]
/** What one download gets through in a round trip: 40 MB/s where that takes 0.1 s. */
export const tunnelWindows = { streamWindow: "4MB", connectionWindow: "16MB" }

/** The config that `bothways tunnel` stands for. There is one route and one destination: whatever comes in goes to the exit, or nowhere. */
export function tunnelConfig(options: TunnelOptions): ConfigInput {
  checkLogin(options)
  const exit = readExitAddress(options.via)
  const config = {
    listeners: { tunnel: { bind: [...options.listen], via: false, forward: localForward } },
    clusters: { exit: exitCluster(exit, options) },
    routes: [{ name: "tunnel", match: { listener: "tunnel" }, to: { origin: { via: "exit" } } }],
    observe: { accessLog: accessLogOf(options.log) },
  }
  return config as unknown as ConfigInput
}

/** What may be asked for is the exit's to decide: here is nothing that a rule could protect. */
const localForward = { socks: true, privateRanges: "allow", connectPorts: EVERY_PORT, ports: EVERY_PORT, udpPorts: EVERY_PORT, privacy: "anonymous" }

function exitCluster(exit: ExitAddress, options: TunnelOptions): object {
  const { token, user, passwordFile, cert, key, ca, http3 } = options
  const serverName = options.serverName ?? (isIP(exit.host) === 0 ? exit.host : undefined)
  return {
    peers: [formatExit(exit)],
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
