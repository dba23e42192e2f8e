import { CidrSet, normaliseIp, PortSet, PRIVATE_RANGES } from "../../base/index.ts"

/** A port, a range as text, or a range as the config's model has it; both ends included. */
export type PortEntry = number | string | { readonly from: number; readonly to: number }

/** Options of `forward`, as the config has them. */
export interface OriginOptions {
  /** Loopback, private, link-local and other special ranges: closed, open, or closed except for these ranges. */
  readonly privateRanges: "deny" | "allow" | readonly string[]
  /** Ports for CONNECT. */
  readonly connectPorts: readonly PortEntry[]
  /** Ports for CONNECT-UDP. */
  readonly udpPorts: readonly PortEntry[]
  /** Ports for absolute-form targets. */
  readonly ports: readonly PortEntry[]
}

/** Where this proxy itself listens: every listener and the admin, with the ports that they really got. Unix sockets are left out. */
export interface OwnListeners {
  /** `host` "" = every address of the machine. */
  readonly binds: readonly { readonly host: string; readonly port: number }[]
  /** The machine's addresses (`os.networkInterfaces`); loopback need not be among them. */
  readonly addresses: readonly string[]
}

export interface OriginRules {
  readonly connectPorts: PortSet
  readonly udpPorts: PortSet
  readonly ports: PortSet
  /** Ranges that are closed, null = none. */
  readonly closed: CidrSet | null
  /** Parts of them that are open all the same, null = none. */
  readonly opened: CidrSet | null
  /** By port: the addresses at which we answer ourselves. */
  readonly own: ReadonlyMap<number, CidrSet>
}

/** Reads `443`, `"80"`, `"1025-65535"`, `{ from, to }`. Throws AddressError with what was expected. */
export function parsePortList(list: readonly PortEntry[]): PortSet {
  return PortSet.parse(list.map(entry => (typeof entry === "object" ? `${entry.from}-${entry.to}` : entry)))
}

/** Compiles the rules of one listener. Throws AddressError for a range or port that is none. */
export function compileOriginRules(options: OriginOptions, own: OwnListeners): OriginRules {
  const { privateRanges } = options
  return {
    connectPorts: parsePortList(options.connectPorts),
    udpPorts: parsePortList(options.udpPorts),
    ports: parsePortList(options.ports),
    closed: privateRanges === "allow" ? null : PRIVATE_RANGES,
    opened: typeof privateRanges === "string" ? null : CidrSet.parse(privateRanges),
    own: ownAddresses(own),
  }
}

const loopback = ["127.0.0.0/8", "::1"]
// Connecting to the unspecified address reaches this machine on Linux.
const unspecified = ["0.0.0.0", "::"]

function ownAddresses({ binds, addresses }: OwnListeners): Map<number, CidrSet> {
  const byPort = new Map<number, string[]>()
  for (const { host, port } of binds) {
    const bound = normaliseIp(host)
    // A name may stand for any address of the machine.
    const reached = bound === null || unspecified.includes(bound) ? [...loopback, ...unspecified, ...addresses] : [bound, ...unspecified]
    byPort.set(port, [...(byPort.get(port) ?? []), ...reached])
  }
  return new Map([...byPort].map(([port, list]) => [port, CidrSet.parse(list, { closing: true })]))
}
