import { NAME } from "./names.ts"

// Fields that say how to read, route or trust the message may not come after it (RFC 9110 section 6.5.1).
const refused = new Set<number>([
  NAME.host,
  NAME.connection,
  NAME.contentLength,
  NAME.transferEncoding,
  NAME.expect,
  NAME.upgrade,
  NAME.te,
  NAME.trailer,
  NAME.keepAlive,
  NAME.proxyConnection,
  NAME.proxyAuthorization,
  NAME.proxyAuthenticate,
  NAME.authorization,
  NAME.via,
  NAME.xForwardedFor,
  NAME.xForwardedProto,
  NAME.xForwardedHost,
  NAME.forwarded,
  NAME.xRealIp,
  NAME.setCookie,
  NAME.cookie,
  NAME.range,
  NAME.cacheControl,
  NAME.contentEncoding,
  NAME.contentType,
  NAME.location,
  NAME.vary,
  NAME.maxForwards,
])

/** May a field with this known-name id travel on as a trailer? */
export function mayTrail(id: number): boolean {
  return !refused.has(id)
}
