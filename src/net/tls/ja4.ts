import { createHash } from "node:crypto"
import { handshakeMessage } from "./client-hello.ts"

const SERVER_NAME = 0
const SIGNATURE_ALGORITHMS = 13
const ALPN = 16
const SUPPORTED_VERSIONS = 43
const NOTHING = "000000000000"

/** What of a hello the fingerprint is about, without what clients put in at random (RFC 8701). */
interface HelloFacts {
  version: number
  readonly ciphers: string[]
  readonly extensions: string[]
  readonly signatures: string[]
  named: boolean
  alpn: string
}

/**
 * The JA4 fingerprint of a client that says hello over TCP (FoxIO's public definition): what a TLS library offers, in an order that does not matter.
 * "" = the octets hold no whole hello.
 */
export function ja4Of(octets: Buffer): string {
  const hello = handshakeMessage(octets)
  if (typeof hello === "string") return ""
  const facts = readFacts(hello)
  const { ciphers, extensions, signatures, alpn } = facts
  const head = `t${versionText(facts.version)}${facts.named ? "d" : "i"}${two(ciphers.length)}${two(extensions.length)}${ends(alpn)}`
  const listed = extensions.filter(type => type !== "0000" && type !== "0010").sort()
  const tail = signatures.length === 0 ? listed.join(",") : `${listed.join(",")}_${signatures.join(",")}`
  return `${head}_${ciphers.length === 0 ? NOTHING : digest(ciphers.sort().join(","))}_${extensions.length === 0 ? NOTHING : digest(tail)}`
}

function readFacts(hello: Buffer): HelloFacts {
  const facts: HelloFacts = { version: word(hello, 0), ciphers: [], extensions: [], signatures: [], named: false, alpn: "" }
  let at = 34
  at += 1 + (hello[at] ?? 0)
  const ciphersEnd = at + 2 + word(hello, at)
  pushWords(facts.ciphers, hello, at + 2, ciphersEnd)
  at = ciphersEnd
  at += 1 + (hello[at] ?? 0)
  const end = Math.min(hello.length, at + 2 + word(hello, at))
  at += 2
  while (at + 4 <= end) {
    const type = word(hello, at)
    const next = at + 4 + word(hello, at + 2)
    if (next > end) break
    if (!isGrease(type)) {
      facts.extensions.push(hex(type))
      readExtension(facts, type, hello.subarray(at + 4, next))
    }
    at = next
  }
  return facts
}

function readExtension(facts: HelloFacts, type: number, content: Buffer): void {
  if (type === SERVER_NAME) facts.named = true
  else if (type === SIGNATURE_ALGORITHMS) pushWords(facts.signatures, content, 2, content.length)
  else if (type === ALPN) facts.alpn = content.length > 3 ? content.subarray(3, 3 + content[2]!).toString("latin1") : ""
  else if (type === SUPPORTED_VERSIONS) facts.version = newest(content) || facts.version
}

function newest(content: Buffer): number {
  let best = 0
  for (let at = 1; at + 2 <= content.length; at += 2) {
    const version = word(content, at)
    if (!isGrease(version) && version > best) best = version
  }
  return best
}

function pushWords(into: string[], octets: Buffer, from: number, to: number): void {
  for (let at = from; at + 2 <= Math.min(to, octets.length); at += 2) if (!isGrease(word(octets, at))) into.push(hex(word(octets, at)))
}

function word(octets: Buffer, at: number): number {
  return at + 2 <= octets.length ? octets.readUInt16BE(at) : 0
}

/** 0x?a?a with both halves the same (RFC 8701). */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

function hex(value: number): string {
  return value.toString(16).padStart(4, "0")
}

function two(count: number): string {
  return String(Math.min(count, 99)).padStart(2, "0")
}

function versionText(version: number): string {
  if (version === 0x0304) return "13"
  if (version === 0x0303) return "12"
  if (version === 0x0302) return "11"
  if (version === 0x0301) return "10"
  return version === 0x0300 ? "s3" : version === 0x0002 ? "s2" : "00"
}

/** First and last character of the first protocol; of its octets in hexadecimal where one of the two is neither letter nor digit. */
function ends(alpn: string): string {
  if (alpn === "") return "00"
  const both = alpn[0]! + alpn.at(-1)!
  if (/^[0-9A-Za-z]{2}$/.test(both)) return both
  const octets = Buffer.from(alpn, "latin1").toString("hex")
  return octets[0]! + octets.at(-1)!
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12)
}
