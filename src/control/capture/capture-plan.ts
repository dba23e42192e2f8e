import type { Config } from "../../config/index.ts"

/** Where captured connections go. */
export interface CapturePort {
  readonly port: number
  readonly mode: "redirect" | "tproxy"
}

/** What is captured, with names of listeners turned into ports. */
export interface CapturePlan {
  /** This machine's own connections; null = they are left alone. */
  readonly machine: CapturePort | null
  readonly network: (CapturePort & { readonly from: readonly string[]; readonly interfaces: readonly string[] }) | null
  /** TCP ports, `443` or `1-65535`. */
  readonly ports: readonly string[]
  /** Port of the DNS listener; 0 = queries are treated like any other UDP and TCP. */
  readonly dnsPort: number
  readonly udp: "reject" | "quic" | "pass"
  readonly ipv6: "capture" | "reject"
  /** Networks that are never captured. */
  readonly spare: readonly string[]
  /** Name or number of the proxy's user, "" = not told by that. */
  readonly user: string
  /** Mark of the proxy's sockets, 0 = none. */
  readonly mark: number
  /** What is not captured is rejected, and the rules outlive the process. */
  readonly killSwitch: boolean
}

/** The plan of a config whose `capture` is set and has been checked; null without. */
export function capturePlan({ capture, listeners }: Config): CapturePlan | null {
  if (capture === null) return null
  const transparent = (name: string | null, kinds: readonly string[]): CapturePort | null => {
    const known = Object.entries(listeners).filter(([each]) => name === null || each === name)
    for (const kind of kinds) {
      const found = known.find(([, listener]) => listener.forward?.transparent?.mode === kind)
      const bind = found?.[1].bind.find(each => "port" in each)
      if (bind !== undefined && "port" in bind) return { port: bind.port, mode: kind as CapturePort["mode"] }
    }
    return null
  }
  const network = capture.network && transparent(capture.network.listener, ["tproxy", "redirect"])
  return {
    machine: capture.machine && transparent(capture.machine.listener, ["redirect"]),
    network: network && { ...network, from: capture.network!.from, interfaces: capture.network!.interfaces },
    ports: capture.ports,
    dnsPort: dnsPortOf(capture.dns, listeners),
    udp: capture.udp,
    ipv6: capture.ipv6,
    spare: capture.spare,
    user: capture.user ?? "",
    mark: capture.mark,
    killSwitch: capture.killSwitch,
  }
}

function dnsPortOf(name: string | null, listeners: Config["listeners"]): number {
  if (name === null) return 0
  const found = Object.entries(listeners).find(([each, listener]) => listener.dns !== null && (name === "auto" || each === name))
  const bind = found?.[1].bind.find(each => "port" in each)
  return bind !== undefined && "port" in bind ? bind.port : 0
}
