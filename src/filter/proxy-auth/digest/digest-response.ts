import { hash } from "node:crypto"

/** Strongest first. */
export const digestAlgorithms = ["SHA-512-256", "SHA-256", "MD5"] as const

export type DigestAlgorithm = (typeof digestAlgorithms)[number]

const runtimeNames: Record<DigestAlgorithm, string> = { "SHA-512-256": "sha512-256", "SHA-256": "sha256", MD5: "md5" }

/** H() of RFC 7616 over octets, one character each; hexadecimal. */
export function digestOf(algorithm: DigestAlgorithm, octets: string): string {
  return hash(runtimeNames[algorithm], Buffer.from(octets, "latin1"), "hex")
}

/** What a client's answer depends on (RFC 7616 section 3.4.1), as octets, one character each. */
export interface DigestFacts {
  readonly algorithm: DigestAlgorithm
  /** H(user:realm:password). */
  readonly ha1: string
  readonly nonce: string
  readonly nc: string
  readonly cnonce: string
  readonly method: string
  readonly uri: string
}

/** The answer of who knows the password, with qop=auth. */
export function digestResponse({ algorithm, ha1, nonce, nc, cnonce, method, uri }: DigestFacts): string {
  return digestOf(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:auth:${digestOf(algorithm, `${method}:${uri}`)}`)
}
