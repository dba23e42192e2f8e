import type { Config } from "../../config/index.ts"
import type { RawOptions } from "../../http/index.ts"

/** How a listener takes clients without HTTP; null = it speaks HTTP. A TCP listener that has to know names reads them in what clients say first. */
export function rawOptionsOf(name: string, { listeners, routes }: Config): RawOptions | null {
  const { tcp, udp, tls } = listeners[name]!
  if (udp !== null) return { kind: "UDP", peeks: false }
  if (tcp === null) return null
  const asksForNames = routes.some(
    ({ match }) => (match.listeners.length === 0 || match.listeners.includes(name)) && match.rules.some(rule => rule.name === "host"),
  )
  return { kind: "TCP", peeks: tls === null && (tcp.peekTls ?? asksForNames) }
}
