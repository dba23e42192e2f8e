import { isIP } from "node:net"

/** Names, each with all below it, and addresses. A look costs one look-up a label. */
export class SiteSet {
  private readonly names: ReadonlySet<string>

  /** In lower case, without a dot at either end. */
  constructor(names: Iterable<string>) {
    this.names = new Set(names)
  }

  has(host: string): boolean {
    const { names } = this
    if (names.size === 0) return false
    if (names.has(host)) return true
    if (isIP(host) !== 0) return false
    for (let at = host.indexOf("."); at >= 0; at = host.indexOf(".", at + 1)) if (names.has(host.slice(at + 1))) return true
    return false
  }
}
