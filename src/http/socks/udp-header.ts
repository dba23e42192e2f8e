// HOT
import { addressOctets, hostAt } from "./read-request.ts"

/** RSV, FRAG. */
const LEAD = 3

/**
 * Where the payload of a client's datagram begins (RFC 1928 section 7); 0 = it is none, or a fragment, which nobody is obliged to put together.
 *
 *     RSV 0 0 | FRAG | ATYP | DST.ADDR | DST.PORT | payload
 */
export function payloadAt(datagram: Buffer): number {
  if (datagram.length < LEAD + 2 || datagram[0] !== 0 || datagram[1] !== 0 || datagram[2] !== 0) return 0
  const octets = addressOctets(datagram, LEAD)
  const at = LEAD + 1 + octets + 2
  return octets < 0 || at > datagram.length ? 0 : at
}

/** Whom a header is for, in the form of RFC 9298's template: `{target_host}/{target_port}`. `end`: where the payload begins. */
export function targetOf(datagram: Buffer, end: number): string {
  return `${encoded(hostAt(datagram, LEAD, end - 2))}/${datagram.readUInt16BE(end - 2)}`
}

/** Whatever is no plain letter of a name is encoded: what it means is decided where it is read. */
function encoded(host: string): string {
  let out = ""
  for (let i = 0; i < host.length; i++) {
    const code = host.charCodeAt(i)
    const lower = code | 0x20
    const plain = (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x5f
    out += plain ? host[i]! : `%${code < 16 ? "0" : ""}${code.toString(16)}`
  }
  return out
}
