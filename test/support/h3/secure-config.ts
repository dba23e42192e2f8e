import { Authority, type Certificate } from "../certificates.ts"
import { type ReverseConfigParts, reverseConfig } from "../reverse-config.ts"

let made: { readonly authority: Authority; readonly site: Certificate } | null = null

/** An authority and a certificate of a.test and localhost, the same for a whole file. */
export function testSite(): { readonly authority: Authority; readonly site: Certificate } {
  if (made === null) {
    const authority = new Authority()
    made = { authority, site: authority.issue(["a.test", "localhost", "127.0.0.1"]) }
  }
  return made
}

/** What a listener needs to speak HTTP/3. */
export function secureListener(site: Certificate = testSite().site): object {
  return { tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] }, http3: true }
}

/** `reverseConfig` over TLS and QUIC. */
export function http3Config(port: number, peer: string, more: ReverseConfigParts = {}): object {
  return reverseConfig(port, peer, { ...more, listener: { ...secureListener(), ...more.listener } })
}
