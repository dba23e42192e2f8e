// HOT
import type { Exchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

/** The answer carries a cookie for one client: a cache behind us, such as a CDN's, must not hand it to others (RFC 9111 sections 5.2.2.7 and 7.3). */
export function keepFromSharedCaches(x: Exchange): void {
  const said = x.response.has(NAME.cacheControl) ? x.response.joined(NAME.cacheControl) : ""
  if (/(?:^|[\s,])(?:private|no-store)(?:$|[\s,])/i.test(said)) return
  x.response.append("Cache-Control", "private")
}
