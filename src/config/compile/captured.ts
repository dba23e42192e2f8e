// HOT
import { FAULT, formatHostPort } from "../../base/index.ts"
import { refuseMethod } from "../../filter/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, notesOf, type Step, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { CapturedInfo } from "../../net/index.ts"
import type { Origins } from "../../upstream/index.ts"
import { OwnAddresses } from "./own-addresses.ts"

/** Says which name an address stands for; "" = none that is remembered, null = it stands for none. */
export type NameOf = (address: string) => string | null

export interface CapturedRules {
  /** What is found under the name is dialled, not the address that was called. */
  readonly dialsNames: boolean
  readonly nameOf: NameOf
  /** Of the listener itself. */
  readonly ports: ReadonlySet<number>
}

/**
 * The first step of what comes by a transparent listener: makes of a request to somebody else a forward request for it. The host is what the client says
 * (TLS name, Host), or the name that the address stands for, or the address; the port is the one that it called. The address is judged here, whoever will dial.
 */
// allow(closure): made once for each listener
export function capturedStep(origins: Origins, { dialsNames, nameOf, ports }: CapturedRules): Step {
  const { checks } = origins.parts
  const own = new OwnAddresses()
  // allow(closure): made once for each listener
  return (x: Exchange): Verdict => {
    const { info } = x.down!
    if (!(info instanceof CapturedInfo)) return notCaptured(x)
    // A proxy was called; whoever wants one of ours asks it.
    if (x.method === "CONNECT" && x.version !== 0) return refuseMethod(x)
    const { localAddress, localPort } = info
    const name = nameOf(localAddress)
    const notes = notesOf(x)
    notes.called = formatHostPort(localAddress, localPort)
    nameTarget(x, name === null || name === "" ? localAddress : name, localPort)
    if (name !== null) {
      // What the rules judge is what is dialled.
      x.fault = name === "" && x.host === localAddress ? FAULT.standInUnknown : null
      return x.fault === null ? NEXT : FAULT_VERDICT
    }
    // Looked at anew: an address may have come to this machine since the rules of origins were made.
    const isOurs = ports.has(localPort) && own.has(localAddress)
    x.fault = isOurs ? FAULT.loop : checks.address(localAddress, localPort)
    if (x.fault !== null) return FAULT_VERDICT
    if (!dialsNames) notes.dials = localAddress
    return NEXT
  }
}

/** A connection to the listener itself: there is no one to bring it to. What explain asks names its target. */
function notCaptured(x: Exchange): Verdict {
  if (x.host !== "") return NEXT
  const { localAddress, localPort } = x.down!.info
  x.authority = formatHostPort(localAddress, localPort)
  x.fault = FAULT.loop
  return FAULT_VERDICT
}

function nameTarget(x: Exchange, called: string, port: number): void {
  x.forwardForm = true
  x.scheme = "http"
  const isNamed = x.host !== ""
  if (!isNamed) x.host = called
  // The port is the one that was called, whatever Host says.
  if (isNamed && x.port === port && x.authority !== "" && x.method !== "CONNECT") return
  x.port = port
  const isSaid = isNamed && x.method !== "CONNECT"
  x.authority = port === 80 && x.method !== "CONNECT" ? bracketed(x.host) : formatHostPort(x.host, port)
  // A client of HTTP has said what it says; for others a parent proxy is told the same twice, as HTTP/1.1 wants it.
  if (!isSaid) x.request.set(NAME.host, "Host", x.authority)
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host
}
