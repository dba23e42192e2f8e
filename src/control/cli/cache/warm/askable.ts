import type { LogRequest } from "../log/log-request.ts"
import type { Destination } from "./destination.ts"

/** Why a logged request cannot be asked again. */
export type Unaskable = "hidden" | "cut" | "octets" | "no host" | "no destination"

export const unaskableWords: Readonly<Record<Unaskable, string>> = {
  hidden: "with a secret that the log hides",
  cut: "longer than the log shows",
  octets: "with octets that no request may have",
  "no host": "for a host that the log does not name (--host names it)",
  "no destination": "over a scheme for which no address is given",
}

/** Place of something to ask for; `destination` is the index of where. */
export interface Place {
  readonly destination: number
  readonly scheme: string
  readonly authority: string
  readonly target: string
}

// the log cuts values at 4096 characters and writes this behind them
const cutLength = 4096 + "...".length

/** What to ask for, or why not. `host`: what stands for a host that the log does not name; "" = the destination's own. */
export function placeOf(request: LogRequest, destinations: readonly Destination[], host: string): Place | Unaskable {
  const { target } = request
  // an nginx log may have a `***` of its own, which nobody has ever asked for either
  if (target.includes("=***")) return "hidden"
  if (target.length === cutLength && target.endsWith("...")) return "cut"
  if (!target.startsWith("/") || /[^\x21-\x7e\x80-\xff]/.test(target) || /[^\x21-\x7e]/.test(request.authority)) return "octets"
  const destination = destinationOf(request.scheme, destinations)
  if (destination < 0) return "no destination"
  const authority = request.authority || host || destinations[destination]!.authority
  if (authority === "") return "no host"
  return { destination, scheme: destinations[destination]!.tls ? "https" : "http", authority, target }
}

/** Keys of caches have the scheme: what was asked over https is of no use over http. A log that names none says nothing against the first. */
function destinationOf(scheme: string, destinations: readonly Destination[]): number {
  return scheme === "" ? 0 : destinations.findIndex(({ tls }) => tls === (scheme === "https"))
}
