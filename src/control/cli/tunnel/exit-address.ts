import { isIP } from "node:net"
import { UsageError } from "../usage-error.ts"

/** Where the exit is, as `--via` says it. */
export interface ExitAddress {
  /** Name or address literal, without brackets. */
  readonly host: string
  readonly port: number
}

/** `https://exit.example`, `https://[2001:db8::1]:8443`, `exit.example:443`. Throws UsageError. */
export function readExitAddress(text: string): ExitAddress {
  if (/^http:\/\//i.test(text)) throw new UsageError("--via: an exit without TLS could be read by anybody on the way; expected https://exit.example")
  const match = /^(?:https:\/\/)?(?:\[([0-9a-f:.]+)\]|([^/?#@:[\]\s]+))(?::(\d{1,5}))?\/?$/i.exec(text)
  const port = Number(match?.[3] ?? 443)
  if (match === null || port < 1 || port > 65_535 || (match[1] !== undefined && isIP(match[1]) !== 6))
    throw new UsageError(`--via: expected https://exit.example or https://exit.example:8443, got ${JSON.stringify(text)}`)
  return { host: (match[1] ?? match[2]!).toLowerCase(), port }
}

/** As `peers:` takes it. */
export function formatExit({ host, port }: ExitAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}
