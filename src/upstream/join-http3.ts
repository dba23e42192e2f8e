import { FAULT, log } from "../base/index.ts"
import { type Exchange, FAULT_VERDICT, type Verdict } from "../flow/index.ts"
import type { OriginDial, Origins, OriginUpgrade } from "./origins.ts"
import type { Pool } from "./pool.ts"
import { QuicJoin } from "./quic-join.ts"

/** How an origin is remembered. */
export function originKey(x: Exchange): string {
  return `${x.host}:${x.port}`
}

/** Tries HTTP/3 for this pool at the first address that the rules let through. False = nobody tries: there is no address, or no place. */
export function joinHttp3(
  origins: Origins,
  pool: Pool,
  key: string,
  dial: Omit<OriginDial, "address">,
  addresses: readonly { readonly address: string }[],
): boolean {
  const { parts, memory } = origins
  const found = addresses.find(({ address }) => parts.checks.address(address, dial.port) === null)
  if (found === undefined) return false
  const owner = {
    onHttp3(worked: boolean, detail: string): void {
      if (worked) memory.worked(key)
      else {
        memory.failed(key)
        log.info("upstream", "HTTP/3 does not work; it is left alone for a while", { origin: key, reason: detail })
      }
    },
  }
  return QuicJoin.begin(pool, owner, dial.upgrade?.http === "http3", handler => parts.quicDialer({ ...dial, address: found.address }, handler))
}

/** What HTTPS records say of the origin, asked for once and waited for by nobody. */
export function askServices({ host, port }: Exchange, { parts, memory }: Origins, upgrade: OriginUpgrade | null): void {
  const { resolver } = parts
  const key = `${host}:${port}`
  if (upgrade === null || upgrade.http !== "auto" || resolver.services === undefined || !memory.shouldAsk(key)) return
  resolver.services(host, port, services => {
    for (const { alpn, target, port: other } of services) if (target === "" && alpn.includes("h3")) memory.offered(key, other > 0 ? other : port)
  })
}

/** No address can be dialled over QUIC. */
export function refuseHttp3(x: Exchange, { parts }: Origins, addresses: readonly { readonly address: string }[]): Verdict {
  x.fault = FAULT.poolExhausted
  for (const { address } of addresses) x.fault = parts.checks.address(address, x.port) ?? x.fault
  return FAULT_VERDICT
}
