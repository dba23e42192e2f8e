import type { Exchange } from "./exchange.ts"
import type { Verdict } from "./verdict.ts"

/** Answers a request that is refused. */
export type Refuse = (x: Exchange) => Verdict

/** What became of TLS that a client spoke through us: carried unread, ended by us without a look at who is behind it, or opened. */
export type TlsDecision = "" | "tunnel" | "inspect" | "refuse"

const NONE: readonly string[] = []

/**
 * What was found out and decided about a request beyond its route, for rules, log and reports. Each word is "" until somebody says it.
 * An exchange gets one when there is something to note, so that those without pay nothing.
 */
export class Notes {
  /** Groups of the user, as whoever identified them says. */
  groups: readonly string[] = NONE
  /** Who the client says that it is, which nobody has checked. */
  claimedUser = ""
  /** Name of the policy rule that decided. */
  rule = ""
  /** What that rule did: "block", "allow", "log" … */
  action = ""
  /** What a policy would have done if it were enforced: `rule:action`, several with spaces. */
  would = ""
  /** Names this refusal on the page that the client gets, so that it can be found in the log. */
  reference = ""
  /** The tunnel is refused, and opened for nothing but to tell so: this answers whatever is asked inside. null = it is not. Who opens tunnels carries on none that has it. */
  refuse: Refuse | null = null
  /** Category of the site, from the operator's lists. */
  category = ""
  /** Label of the exit that was taken. */
  exit = ""
  /** What was done with TLS. */
  tls: TlsDecision = ""
  /** Why, a word of its table, such as "never-open" or "pinned". */
  tlsReason = ""
  /** The client's JA4 fingerprint. */
  ja4 = ""
  /** Name and protocols that the client says in TLS, the name in lower case. */
  tlsName = ""
  alpn: readonly string[] = NONE
  /** The request came inside a tunnel that we opened: who asks was found out when the tunnel began, and its target is this origin. */
  inside = false
  /** `address:port` that the client called, when its connection was brought here without its knowledge. */
  called = ""
  /** What is dialled in the place of the host's own addresses: the address that was called. */
  dials = ""
}

/** The notes of an exchange, made when there are none yet. */
export function notesOf(x: Exchange): Notes {
  x.notes ??= new Notes()
  return x.notes
}
