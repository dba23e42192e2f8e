import type { Exchange } from "./exchange.ts"

/** What became of TLS that a client spoke through us: carried unread, ended by us without a look at who is behind it, or opened. */
export type TlsDecision = "" | "tunnel" | "inspect" | "refuse"

/**
 * What was found out and decided about a request beyond its route, for rules, log and reports. Each word is "" until somebody says it.
 * An exchange gets one when there is something to note, so that those without pay nothing.
 */
export class Notes {
  /** Groups of the user, as whoever identified them says. */
  groups: readonly string[] = NONE
  /** Name of the policy rule that decided. */
  rule = ""
  /** What that rule did: "block", "allow", "log" … */
  action = ""
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
  /** The request came inside a tunnel that we opened: who asks was found out when the tunnel began, and its target is this origin. */
  inside = false
}

const NONE: readonly string[] = []

/** The notes of an exchange, made when there are none yet. */
export function notesOf(x: Exchange): Notes {
  x.notes ??= new Notes()
  return x.notes
}
