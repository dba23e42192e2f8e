// HOT
import { NAME } from "../names.ts"

/** Speaks this known-name id of one connection alone? There is no such thing in HTTP/2 and 3: a message that has one is none, wherever it stands (RFC 9113 section 8.2.2, RFC 9114 section 4.2). */
export function isOfConnection(id: number): boolean {
  return id === NAME.connection || id === NAME.keepAlive || id === NAME.proxyConnection || id === NAME.transferEncoding || id === NAME.upgrade
}
