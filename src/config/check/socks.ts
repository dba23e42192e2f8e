import { takesPasswords, takesSilent } from "../../filter/index.ts"
import type { ConfigPath, Finding } from "../problem.ts"
import type { ListenerConfig, RouteConfig } from "../schema.ts"
import { error, warning } from "./subject.ts"

/** What a listener says about SOCKS and cannot keep. `at`: its `forward`; `routes`: those that it serves. */
export function checkSocks(at: ConfigPath, { forward, http3 }: ListenerConfig, routes: readonly RouteConfig[]): Finding[] {
  const { socks, auth, pac } = forward!
  if (socks === null) return []
  const findings: Finding[] = []
  const here = [...at, "socks"]
  if (socks.udp !== null && !routes.some(({ to, upgrade }) => to.kind === "origin" && upgrade.includes("connect-udp")))
    findings.push(
      warning(
        [...here, "udp"],
        "datagrams go nowhere: no route of this listener to an origin has `upgrade: [connect-udp]`, see docs/socks.md",
        "key",
      ),
    )
  if (!socks.only) return findings
  if (http3 !== null) findings.push(error([...here, "only"], "a listener that speaks nothing but SOCKS has no http3"))
  if (pac !== null) findings.push(warning([...here, "only"], "nobody can fetch `pac` where nothing but SOCKS is spoken", "key"))
  if (auth !== null && !takesPasswords(auth) && !takesSilent(auth))
    findings.push(error([...here, "only"], "SOCKS clients can give a password and nothing else, and this log-in takes none"))
  return findings
}
