import { type Clock, normaliseIp } from "../../base/index.ts"
import { interleave, type ResolvedAddress } from "./address-order.ts"
import { WatchedFile } from "./watched-file.ts"

/** Reads hosts(5): an address and its names a line, `#` begins a comment. Lines that are neither are passed over; a name on several lines has all their addresses. */
export function parseHosts(text: string): Map<string, ResolvedAddress[]> {
  const found = new Map<string, Set<string>>()
  for (const line of text.split("\n")) {
    const [addressText, ...names] = line.replace(/#.*/, "").trim().split(/\s+/)
    const address = normaliseIp(addressText ?? "")
    if (address === null) continue
    for (const name of names) {
      const key = name.toLowerCase().replace(/\.$/, "")
      const addresses = found.get(key)
      if (addresses === undefined) found.set(key, new Set([address]))
      else addresses.add(address)
    }
  }
  return new Map([...found].map(([name, addresses]) => [name, interleave([...addresses])]))
}

/** The system's table of names, read again within a second of a change. */
export class HostsFile {
  private readonly file: WatchedFile
  private names: Map<string, ResolvedAddress[]>

  constructor(path: string, clock: Clock) {
    this.file = new WatchedFile(path, clock)
    this.names = new Map()
  }

  /** `name` in lower case and without the final dot. */
  find(name: string): readonly ResolvedAddress[] | undefined {
    const text = this.file.changed()
    if (text !== null) this.names = parseHosts(text)
    return this.names.get(name)
  }
}
