import { isIPv6 } from "node:net"
import { z } from "zod"
import { field, hostNameFault, listOf, maybe } from "../../base/index.ts"
import { ANSWER, type Exchange, setLocalResponse, type Step, type Verdict } from "../../flow/index.ts"
import { defineAnswer } from "../../plugin/index.ts"
import { type PacRules, pacScript } from "./pac-script.ts"
import { directOf } from "./direct.ts"

const PROXY = /^(?:(?:https?|socks[45]?):\/\/)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/

/** What PAC files are made of: how clients find the proxy, and what they reach without it. */
export const pacOptions = z.strictObject({
  proxies: maybe(
    listOf(z.string().regex(PROXY, 'expected "proxy.example:3128", "https://proxy.example:443" or "socks5://proxy.example:1080"')),
    "Proxies in the order in which clients try them. Default: the address at which the file was asked for.",
  ),
  direct: field(
    z.array(z.string().refine(text => directOf([text]) !== null, 'expected a name such as "intranet.example" or a range such as "10.0.0.0/8"')),
    [],
    "Names, with all names below them, and ranges that clients reach without the proxy.",
  ),
  plainNames: field(z.enum(["direct", "proxy"]), "direct", "Names without a dot, such as a printer's."),
  privateRanges: field(
    z.enum(["direct", "proxy"]),
    "direct",
    "Loopback, private and link-local addresses written as such. A listener that closes them to its clients leaves them nothing else.",
  ),
  fallback: field(z.enum(["none", "direct"]), "none", "When no proxy can be reached: none = clients get nothing, direct = they go past every rule."),
})

export type PacOptions = z.output<typeof pacOptions>

/** How the proxy is reached at the address where the file is asked for. */
export interface OwnWay {
  readonly secure: boolean
}

const LINES = "Content-Type: application/x-ns-proxy-autoconfig\r\nCache-Control: max-age=300\r\nVary: Host\r\n"

/** Answers with the file. `own`: how clients speak to the listener, null = as they asked. */
export function pacStep(options: PacOptions, own: OwnWay | null): Step {
  const rules = rulesOf(options)
  const fixed = options.proxies === null ? null : Buffer.from(pacScript({ ...rules, proxies: options.proxies.map(pacWord) }))
  return (x: Exchange): Verdict => {
    const secure = own?.secure ?? x.scheme === "https"
    const body = fixed ?? Buffer.from(pacScript({ ...rules, proxies: [`${secure ? "HTTPS" : "PROXY"} ${addressOf(x)}`] }))
    setLocalResponse(x, 200, LINES, body)
    return ANSWER
  }
}

/** Paths at which clients ask for it: ours, and that of WPAD. */
const paths: ReadonlySet<string> = new Set(["/proxy.pac", "/wpad.dat"])

/**
 * Gives the file to those who ask the listener itself for it, before it asks them who they are: a client that does not know its proxy yet has nothing to
 * say to it. `own`: see `pacStep`.
 */
export function pacGate(options: PacOptions, own: OwnWay): Step {
  const step = pacStep(options, own)
  return (x: Exchange): Verdict => (paths.has(x.path) && isForUs(x) ? step(x) : 0)
}

/** HTTP/2 has one form for all requests: those to the listener's own port are for itself, as no proxy would go there. */
function isForUs(x: Exchange): boolean {
  if (x.method !== "GET" && x.method !== "HEAD") return false
  return !x.forwardForm || (x.version >= 20 && x.down !== null && x.port === x.down.info.localPort)
}

/** The name by which the client found us, unless it is none; the port is the one where it did. */
function addressOf(x: Exchange): string {
  const info = x.down?.info
  const port = info === undefined || info.localPort === 0 ? x.port : info.localPort
  const named = isIPv6(x.host) || hostNameFault(x.host) === null
  const host = named || info === undefined ? x.host : info.localAddress
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function pacWord(text: string): string {
  const found = /^(?:([a-z0-9]+):\/\/)?(.*)$/i.exec(text)!
  const scheme = (found[1] ?? "http").toLowerCase()
  const word = scheme === "http" ? "PROXY" : scheme === "https" ? "HTTPS" : scheme === "socks4" ? "SOCKS" : "SOCKS5"
  return `${word} ${found[2]!}`
}

function rulesOf({ direct, plainNames, privateRanges, fallback }: PacOptions): Omit<PacRules, "proxies"> {
  const inner = privateRanges === "direct" ? PRIVATE : []
  const { names, ranges, prefixes } = directOf([...inner, ...direct])!
  return {
    directNames: plainNames === "direct" || privateRanges === "direct" ? ["localhost", ...names] : names,
    directRanges: ranges,
    directPrefixes: prefixes,
    plainDirect: plainNames === "direct",
    failOpen: fallback === "direct",
  }
}

/** What a client may mean by an address that no proxy reaches for it: loopback, RFC 1918, RFC 3927, RFC 6598, RFC 4193, RFC 4291. */
const PRIVATE = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "::1/128",
  "fc00::/8",
  "fd00::/8",
  "fe80::/16",
]

export default defineAnswer({
  name: "pac",
  summary: "Answers with a proxy auto-configuration file (PAC, WPAD) for browsers and systems.",
  options: pacOptions.prefault({}),
  build: to => pacStep(to, null),
  says2xx: () => true,
  describe: to => (to.proxies === null ? "a PAC file for the address that it is asked at" : `a PAC file for ${to.proxies.join(", ")}`),
})
