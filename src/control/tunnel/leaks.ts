import type { Surroundings } from "./surroundings.ts"

/** One way past the tunnel. */
export interface Leak {
  readonly what: "names" | "IPv6" | "environment" | "UDP" | "programs"
  /** open: something can get out there; closed: nothing can; unknown: whoever asks may not see. */
  readonly state: "open" | "closed" | "unknown"
  readonly says: string
  /** What to do; "" = nothing. */
  readonly todo: string
}

/** The tunnel as far as leaks depend on it. */
export interface TunnelFacts {
  /** `127.0.0.1:1080`; of a Unix socket its path. */
  readonly listens: string
  /** Its config captures this machine's connections. */
  readonly captures: boolean
  /** With that: UDP that is not DNS is rejected. */
  readonly rejectsUdp: boolean
}

const EVERYTHING = "run the tunnel with --everything"

/** What leaves this machine beside the tunnel, plainly. A check of the machine, not of each program on it. */
export function leaksOf(tunnel: TunnelFacts, around: Surroundings): Leak[] {
  const captured = !tunnel.captures || around.rules === "none" ? "no" : around.rules === "there" ? "yes" : "unknown"
  const parts = [names(captured, around), ipv6(captured, around), environment(tunnel, captured, around), udp(tunnel, captured), programs(captured)]
  return parts
}

type Captured = "yes" | "no" | "unknown"

const UNSEEN = "the rules of nftables are not to be seen without root"

function names(captured: Captured, { nameServers }: Surroundings): Leak {
  const what = "names"
  if (captured === "yes") return { what, state: "closed", says: "queries for names are answered here and go nowhere", todo: "" }
  if (captured === "unknown") return { what, state: "unknown", says: UNSEEN, todo: "ask as root" }
  if (nameServers.length === 0) return { what, state: "closed", says: "this machine has no name server that programs could ask", todo: "" }
  const says = `a program that looks names up itself asks ${nameServers.join(", ")}, past the tunnel`
  return {
    what,
    state: "open",
    says,
    todo: `give programs the proxy as http:// or socks5h:// (not socks5://), which leave names to it, or ${EVERYTHING}`,
  }
}

function ipv6(captured: Captured, { ipv6Routes }: Surroundings): Leak {
  const what = "IPv6"
  if (captured === "yes") return { what, state: "closed", says: "IPv6 is rejected, programs use IPv4", todo: "" }
  if (ipv6Routes.length === 0) return { what, state: "closed", says: "there is no default route of IPv6", todo: "" }
  if (captured === "unknown") return { what, state: "unknown", says: UNSEEN, todo: "ask as root" }
  return { what, state: "open", says: `a default route of IPv6 leads out by ${ipv6Routes.join(", ")}`, todo: `${EVERYTHING}, or take the route away` }
}

function environment({ listens }: TunnelFacts, captured: Captured, { env }: Surroundings): Leak {
  const what = "environment"
  const missing = ["http_proxy", "https_proxy"].filter(name => !pointsAt(valueOf(env, name) || valueOf(env, "all_proxy"), listens))
  const spared = valueOf(env, "no_proxy")
  if (captured === "yes") return { what, state: "closed", says: "captured, whatever the variables of this shell say", todo: "" }
  if (missing.length > 0) {
    const todo = `export http_proxy=http://${listens} https_proxy=http://${listens}`
    return {
      what,
      state: "open",
      says: `programs of this shell are not told of the tunnel: ${missing.join(" and ")} name something else or nothing`,
      todo,
    }
  }
  if (spared !== "") return { what, state: "open", says: `no_proxy keeps these from the tunnel: ${spared}`, todo: "unset no_proxy NO_PROXY" }
  return { what, state: "closed", says: "this shell's programs are told of the tunnel; those that take no notice are another matter", todo: "" }
}

/** As programs read them: curl takes http_proxy in small letters only. */
function valueOf(env: Surroundings["env"], name: string): string {
  const small = env[name] ?? ""
  return small !== "" || name === "http_proxy" ? small : (env[name.toUpperCase()] ?? "")
}

function pointsAt(value: string, listens: string): boolean {
  const authority = value.replace(/^[a-z0-9]+:\/\//i, "").replace(/\/.*$/, "")
  return authority === listens || authority.replace(/^localhost:/, "127.0.0.1:") === listens
}

function udp({ rejectsUdp }: TunnelFacts, captured: Captured): Leak {
  const what = "UDP"
  if (captured === "unknown") return { what, state: "unknown", says: UNSEEN, todo: "ask as root" }
  if (captured === "yes" && rejectsUdp)
    return { what, state: "closed", says: "UDP is rejected: WebRTC and HTTP/3 of browsers fall back or fail", todo: "" }
  return {
    what,
    state: "open",
    says: "UDP is not covered: WebRTC shows a browser's own address, HTTP/3, NTP and games go out by themselves",
    todo: `${EVERYTHING}, or close WebRTC in the browser`,
  }
}

function programs(captured: Captured): Leak {
  const what = "programs"
  if (captured === "yes") return { what, state: "closed", says: "connections of all programs are captured (nftables)", todo: "" }
  if (captured === "unknown") return { what, state: "unknown", says: UNSEEN, todo: "ask as root" }
  return { what, state: "open", says: "a program that does not use the proxy goes out by itself", todo: EVERYTHING }
}
