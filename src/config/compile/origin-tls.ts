import { readFileSync } from "node:fs"
import { ClientTls, QuicClientTls } from "../../net/index.ts"
import type { OriginUpgrade } from "../../upstream/index.ts"

const offers = { auto: ["h2", "http/1.1"], http1: [], http2: ["h2"], http3: [] } as const

/** TLS towards origins, made when the first one is dialled: the authorities of the system are not read at every start. */
export class OriginTls {
  private readonly made = new Map<string, ClientTls>()
  private readonly madeQuic = new Map<string, QuicClientTls>()

  /** Over TCP. */
  tcp(upgrade: OriginUpgrade | null): ClientTls {
    const http = upgrade?.http ?? "http1"
    return remembered(this.made, `${http} ${upgrade?.ca ?? ""}`, () => new ClientTls({ ...authorities(upgrade), alpn: offers[http] }))
  }

  quic(upgrade: OriginUpgrade | null): QuicClientTls {
    return remembered(this.madeQuic, upgrade?.ca ?? "", () => new QuicClientTls(authorities(upgrade)))
  }
}

function authorities(upgrade: OriginUpgrade | null): { ca?: string } {
  const ca = upgrade?.ca ?? null
  return ca === null ? {} : { ca: readFileSync(ca, "utf8") }
}

function remembered<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
