import { ipFamily } from "./ip-text.ts"

/**
 * The site that a host belongs to: its last two labels, or three where the second last one is a registry's (`co.uk`, `com.au`, `ac.jp`). Good enough to read
 * a table by; the public suffix list knows it better and is larger than this program.
 */
export function siteOf(host: string): string {
  if (host === "" || host.includes(":") || ipFamily(host) !== 0) return host
  const labels = host.split(".")
  if (labels.length <= 2) return host
  const [second, last] = [labels.at(-2)!, labels.at(-1)!]
  return labels.slice(last.length === 2 && registry.has(second) ? -3 : -2).join(".")
}

const registry: ReadonlySet<string> = new Set(["ac", "co", "com", "edu", "gob", "gov", "ltd", "me", "mil", "net", "nom", "or", "org", "plc", "sch"])
