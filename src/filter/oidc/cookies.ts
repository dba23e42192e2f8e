import type { Exchange } from "../../flow/index.ts"
import { cookiesOf } from "../request-edit.ts"

/** Browsers keep no cookie over 4096 octets with its name and attributes (RFC 6265 section 6.1). */
const CHUNK_CHARS = 3600
/** More would not fit into the fields of a request beside all others. */
export const CHUNKS_MAX = 5

/** How our cookies are called and what they are told. */
export class CookieKind {
  readonly name: string
  private readonly attributes: string

  /** `secure`: by HTTPS alone, and for this host alone (`__Host-`, RFC 6265bis section 4.1.3.2). */
  constructor(name: string, secure: boolean) {
    this.name = secure ? `__Host-${name}` : name
    this.attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`
  }

  setLine(name: string, value: string, maxAgeSeconds: number): string {
    return `Set-Cookie: ${name}=${value}; Max-Age=${Math.max(0, Math.floor(maxAgeSeconds))}${this.attributes}\r\n`
  }

  dropLine(name: string): string {
    return this.setLine(name, "", 0)
  }

  /** Lines that set a value, in as many cookies as it takes; what is left of an earlier, longer one goes. */
  setChunks(value: string, maxAgeSeconds: number, before: ReadonlyMap<string, string>): string {
    let lines = ""
    const count = Math.ceil(value.length / CHUNK_CHARS)
    for (let i = 0; i < count; i++) lines += this.setLine(this.chunkName(i), value.slice(i * CHUNK_CHARS, (i + 1) * CHUNK_CHARS), maxAgeSeconds)
    for (let i = count; i < CHUNKS_MAX; i++) if (before.has(this.chunkName(i))) lines += this.dropLine(this.chunkName(i))
    return lines
  }

  /** The value that the chunks of a request make together, "" when there is none. */
  join(cookies: ReadonlyMap<string, string>): string {
    let value = ""
    for (let i = 0; i < CHUNKS_MAX; i++) {
      const chunk = cookies.get(this.chunkName(i))
      if (chunk === undefined) break
      value += chunk
    }
    return value
  }

  dropChunks(before: ReadonlyMap<string, string>): string {
    return this.setChunks("", 0, before)
  }

  private chunkName(i: number): string {
    return i === 0 ? this.name : `${this.name}.${i}`
  }

  /** Our cookies of a request, by name. Of two of one name the first counts: with `__Host-` nobody else can set one. */
  read(x: Exchange): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    const cookies = cookiesOf(x)
    if (!cookies.includes(this.name)) return found
    for (const pair of cookies.split(";")) {
      const at = pair.indexOf("=")
      const name = pair.slice(0, at).trim()
      if (at > 0 && (name === this.name || name.startsWith(`${this.name}.`)) && !found.has(name)) found.set(name, pair.slice(at + 1).trim())
    }
    return found
  }
}

export function fits(sealed: string): boolean {
  return sealed.length <= CHUNK_CHARS * CHUNKS_MAX
}
