// HOT
import { plainServerName } from "../connection-info.ts"
import type { NativeContext } from "./context.ts"

/** Names to contexts: the exact name before the wildcard, and the certificate that was named first before a later one. */
export class CertificateIndex {
  private readonly exact: Map<string, NativeContext>
  private readonly wildcard: Map<string, NativeContext>

  constructor() {
    this.exact = new Map()
    this.wildcard = new Map()
  }

  /** False = an earlier certificate has the name. */
  add(name: string, context: NativeContext): boolean {
    const isWildcard = name.startsWith("*.")
    const names = isWildcard ? this.wildcard : this.exact
    const key = isWildcard ? name.slice(2) : name
    if (names.has(key)) return false
    names.set(key, context)
    return true
  }

  /** A wildcard stands for one label (RFC 9525 section 6.3). */
  find(serverName: string): NativeContext | undefined {
    const name = plainServerName(serverName)
    const exact = this.exact.get(name)
    if (exact !== undefined) return exact
    const dot = name.indexOf(".")
    return dot > 0 ? this.wildcard.get(name.slice(dot + 1)) : undefined
  }
}
