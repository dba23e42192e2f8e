// HOT
import type { AcceptPoint } from "./accept-point.ts"
import { dispatchClose, dispatchData, dispatchDrain, dispatchEnd, dispatchError, type NativeWire } from "./dispatch.ts"
import type { NativeContext } from "./tls/context.ts"
import { HandshakeWait } from "./tls/handshake-wait.ts"
import type { ServerTls } from "./tls/server-tls.ts"
import { UpgradePending } from "./tls/upgrade-pending.ts"
import type { Wire } from "./wire.ts"

// Callbacks of accepted sockets: one object for a listener, made with it. What belongs to a connection stands in its `data`.

/** `tls` = the sockets are TLS from their first octet. */
export function acceptHandlers(point: AcceptPoint, tls: ServerTls | null): object {
  const handlers = {
    // allow(closure): once for the listener
    open: (wire: NativeWire): void => point.opened(wire),
    data: dispatchData,
    drain: dispatchDrain,
    end: dispatchEnd,
    // allow(closure): once for the listener
    close: (wire: Wire, error?: Error): void => point.closed(wire, error),
    error: dispatchError,
  }
  return tls === null ? handlers : Object.assign(handlers, { handshake: onHandshake, serverName: serverNameHook(tls) })
}

/** For sockets whose TLS began after the accept; their raw twins have the handlers above and tell of the end as well. */
export function securedHandlers(point: AcceptPoint, tls: ServerTls): object {
  return {
    open: onSecuredOpen,
    data: dispatchData,
    drain: dispatchDrain,
    end: dispatchEnd,
    // allow(closure): once for the listener
    close: (wire: Wire, error?: Error): void => {
      point.released(wire)
      dispatchClose(wire, error)
    },
    error: dispatchError,
    handshake: onHandshake,
    serverName: serverNameHook(tls),
  }
}

/** For the connections of validating authorities, whose certificate is chosen before TLS begins. */
export function challengeHandlers(point: AcceptPoint, tls: ServerTls): object {
  return Object.assign(securedHandlers(point, tls), { serverName: NO_CHOICE })
}

const NO_CHOICE = (): undefined => undefined

function onSecuredOpen(wire: NativeWire): void {
  if (wire.data instanceof UpgradePending) wire.data.opened(wire)
}

function onHandshake(wire: NativeWire, success: boolean, error: Error | null): void {
  if (wire.data instanceof HandshakeWait) wire.data.onHandshake(wire, success, error)
}

/** The runtime asks with the socket's data and the name; undefined leaves the default context. */
function serverNameHook(tls: ServerTls): (data: unknown, name: string) => NativeContext | undefined {
  // allow(closure): once for the listener
  return (_data: unknown, name: string): NativeContext | undefined => tls.contextFor(name)
}
