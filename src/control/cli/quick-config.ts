import type { ConfigInput } from "../../config/index.ts"
import { UsageError } from "./usage-error.ts"

export interface ReverseOptions {
  readonly listen: readonly string[]
  readonly to: readonly string[]
  readonly balance?: string
  readonly host?: readonly string[]
  readonly health?: string
  readonly cert?: string
  readonly key?: string
  readonly insecure?: boolean
  readonly log: string
}

export interface ForwardOptions {
  readonly listen: readonly string[]
  readonly allowPrivate?: boolean
  readonly htpasswd?: string
  readonly connectPorts?: string
  readonly privacy?: string
  readonly log: string
}

interface Target {
  /** As `peers:` takes it. */
  readonly peer: string
  readonly tls: boolean
}

/** Places of the config that `bothways reverse` stands for, and the flags that fill them. */
export const reverseFlags = {
  "listeners.reverse.bind": "--listen",
  "listeners.reverse.tls.certificates[0].cert": "--cert",
  "listeners.reverse.tls.certificates[0].key": "--key",
  "clusters.target.peers": "--to",
  "clusters.target.balance": "--balance",
  "clusters.target.health": "--health",
  "routes[0].match.host": "--host",
} as const

/** The same of `bothways forward`. */
export const forwardFlags = {
  "listeners.forward.bind": "--listen",
  "listeners.forward.forward": "--listen",
  "listeners.forward.forward.privateRanges": "--allow-private",
  "listeners.forward.forward.auth.htpasswd": "--htpasswd",
  "listeners.forward.forward.connectPorts": "--connect-ports",
  "listeners.forward.forward.privacy": "--privacy",
} as const

/** The config that `bothways reverse` stands for. */
export function reverseConfig(options: ReverseOptions): ConfigInput {
  const targets = options.to.map(readTarget)
  const tls = targets.some(target => target.tls)
  if (targets.some(target => target.tls !== tls))
    throw new UsageError("--to: some targets are https and some are not; use a config with two clusters")
  if (options.insecure === true && !tls) throw new UsageError("--insecure is for https targets")
  if ((options.cert === undefined) !== (options.key === undefined)) throw new UsageError("--cert and --key go together")
  const config = {
    listeners: {
      reverse: {
        bind: [...options.listen],
        ...(options.cert === undefined ? {} : { tls: { certificates: [{ cert: options.cert, key: options.key! }] } }),
      },
    },
    clusters: {
      target: {
        peers: targets.map(target => target.peer),
        ...(options.balance === undefined ? {} : { balance: options.balance }),
        ...(options.health === undefined ? {} : { health: { http: { path: options.health } } }),
        ...(tls ? { tls: options.insecure === true ? { verify: false } : true } : {}),
      },
    },
    routes: [{ name: "reverse", match: options.host === undefined ? {} : { host: [...options.host] }, to: { cluster: "target" } }],
    observe: { accessLog: accessLogOf(options.log) },
  }
  return config as ConfigInput
}

/** The config that `bothways forward` stands for. */
export function forwardConfig(options: ForwardOptions): ConfigInput {
  const forward = {
    ...(options.allowPrivate === true ? { privateRanges: "allow" } : {}),
    ...(options.connectPorts === undefined ? {} : { connectPorts: options.connectPorts.split(",").map(port => port.trim()) }),
    ...(options.htpasswd === undefined ? {} : { auth: { htpasswd: options.htpasswd } }),
    ...(options.privacy === undefined ? {} : { privacy: options.privacy }),
  }
  const config = {
    listeners: { forward: { bind: [...options.listen], forward: Object.keys(forward).length === 0 ? true : forward } },
    routes: [{ name: "forward", match: { listener: "forward" }, to: { origin: {} } }],
    observe: { accessLog: accessLogOf(options.log) },
  }
  return config as ConfigInput
}

export function accessLogOf(word: string): { format?: string; to?: string } {
  if (word === "none") return { to: "none" }
  if (word === "json" || word === "combined") return { format: word }
  throw new UsageError(`--log: expected json, combined or none, got ${JSON.stringify(word)}`)
}

/** `http://host:port`, `https://host`, `host:port`, `:3000` (loopback), `unix:/path`. */
export function readTarget(text: string): Target {
  if (text.startsWith("unix:")) return { peer: text, tls: false }
  const url = /^(https?):\/\/([^/?#@]+)(\/?)$/i.exec(text)
  if (url !== null) {
    const tls = url[1]!.toLowerCase() === "https"
    const authority = url[2]!
    return { peer: /:\d+$/.test(authority) ? authority : `${authority}:${tls ? 443 : 80}`, tls }
  }
  if (/^https?:\/\/[^/?#]*@/i.test(text)) throw new UsageError("--to: a target takes no user and password; use a config with a header filter")
  if (/^https?:\/\/[^/?#]+[/?#]/i.test(text))
    throw new UsageError(`--to: a target has no path, got ${JSON.stringify(text)}; requests go on with their own`)
  if (/^:\d{1,5}$/.test(text)) return { peer: `127.0.0.1${text}`, tls: false }
  if (/^(?:\[[^\]]+\]|[^:/?#@\s]+):\d{1,5}$/.test(text)) return { peer: text, tls: false }
  throw new UsageError(`--to: expected http://host:port, https://host, host:port or unix:/path, got ${JSON.stringify(text)}`)
}
