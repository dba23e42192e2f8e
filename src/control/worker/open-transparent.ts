import type { Config, ListenerConfig } from "../../config/index.ts"
import { type DownstreamConnection, RawServerConnection, type ServerHooks, TransparentConnection, type TransparentOptions } from "../../http/index.ts"
import { capturedInfo, type CaptureMode, type ConnectionInfo, type Wire, type WireHandler } from "../../net/index.ts"

/** How a listener takes connections that are brought to it; null = clients call it themselves. */
export interface Transparent extends TransparentOptions {
  readonly mode: CaptureMode
}

/** Where workers share what they dial. */
export const OWN_DIALS_KEY = "transparent/own-dials"

export function hasTransparent({ listeners }: Config): boolean {
  return Object.values(listeners).some(({ forward }) => (forward?.transparent ?? null) !== null)
}

export function transparentOf(forward: ListenerConfig["forward"]): Transparent | null {
  const options = forward?.transparent ?? null
  return options === null ? null : { mode: options.mode, silenceMs: options.silence, carriesOther: options.other === "tunnel" }
}

/** A new connection of a transparent listener. Who called the listener itself is not heard: the entry's first step refuses it as a loop. */
export function openTransparent(wire: Wire, info: ConnectionInfo, hooks: ServerHooks, options: Transparent): WireHandler & DownstreamConnection {
  const captured = capturedInfo(wire, info, options.mode)
  if (captured === null) return new RawServerConnection(wire, info, hooks, { kind: "CONNECT", peeks: false })
  return new TransparentConnection(wire, captured, hooks, options)
}
