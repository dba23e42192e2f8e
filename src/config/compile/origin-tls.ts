import { readFileSync } from "node:fs"
import { believedAuthorities, ClientTls, QuicClientTls } from "../../net/index.ts"
import type { InspectConfig } from "../schema/forward-inspect.ts"
import { SiteSet } from "./inspect/site-set.ts"
import type { OriginUpgrade } from "../../upstream/index.ts"

const offers = { auto: ["h2", "http/1.1"], http1: [], http2: ["h2"], http3: [] } as const

/** TLS towards origins, made when the first one is dialled: the authorities of the system are not read at every start. */
export class OriginTls {
  private readonly made = new Map<string, ClientTls>()
  private readonly madeQuic = new Map<string, QuicClientTls>()
  private readonly unverified: SiteSet
  private readonly ca: string | null

  /** `rules`: how servers behind opened tunnels are believed, where the listener opens them. */
  constructor(rules: InspectConfig["upstream"] | null = null) {
    this.unverified = new SiteSet(rules?.insecureHosts ?? [])
    this.ca = rules?.ca ?? null
  }

  /** Over TCP. */
  tcp(upgrade: OriginUpgrade | null, host = ""): ClientTls {
    const http = upgrade?.http ?? "http1"
    const verify = !this.unverified.has(host)
    const key = `${http} ${verify} ${upgrade?.ca ?? ""}`
    return remembered(this.made, key, () => new ClientTls({ ...this.authorities(upgrade), alpn: offers[http], verify }))
  }

  quic(upgrade: OriginUpgrade | null): QuicClientTls {
    return remembered(this.madeQuic, upgrade?.ca ?? "", () => new QuicClientTls(this.authorities(upgrade)))
  }

  private authorities(upgrade: OriginUpgrade | null): { ca?: string } {
    const ca = upgrade?.ca ?? null
    if (ca !== null) return { ca: readFileSync(ca, "utf8") }
    return this.ca === null ? {} : { ca: [...believedAuthorities(), readFileSync(this.ca, "utf8")].join("\n") }
  }
}

function remembered<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
