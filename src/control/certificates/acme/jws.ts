import { createHash, createHmac, createPublicKey, type KeyObject, sign } from "node:crypto"

/** The public half of an EC P-256 key, its members in the order of RFC 7638 section 3.2. */
export interface PublicJwk {
  readonly crv: string
  readonly kty: string
  readonly x: string
  readonly y: string
}

export function publicJwk(key: KeyObject): PublicJwk {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: "jwk" })
  return { crv: crv!, kty: kty!, x: x!, y: y! }
}

/** RFC 7638, SHA-256. */
export function thumbprint(key: KeyObject): string {
  return createHash("sha256")
    .update(JSON.stringify(publicJwk(key)))
    .digest("base64url")
}

const base64url = (text: string): string => Buffer.from(text, "utf8").toString("base64url")

export interface JwsHead {
  readonly nonce: string
  readonly url: string
  /** Address of the account; absent = the key itself is sent. */
  readonly kid?: string
}

/** A signed request (RFC 8555 section 6.2), ES256, flattened. `payload` "" = POST-as-GET. */
export function signRequest(key: KeyObject, head: JwsHead, payload: string): string {
  const { kid, ...rest } = head
  const who = kid === undefined ? { jwk: publicJwk(key) } : { kid }
  const protectedPart = base64url(JSON.stringify({ alg: "ES256", ...who, ...rest }))
  const payloadPart = base64url(payload)
  const signature = sign("sha256", Buffer.from(`${protectedPart}.${payloadPart}`), { key, dsaEncoding: "ieee-p1363" })
  return JSON.stringify({ protected: protectedPart, payload: payloadPart, signature: signature.toString("base64url") })
}

/** The issuer's customer vouches for the account key (RFC 8555 section 7.3.4), HS256. */
export function bindAccount(key: KeyObject, url: string, eab: { readonly kid: string; readonly hmacKey: string }): object {
  const protectedPart = base64url(JSON.stringify({ alg: "HS256", kid: eab.kid, url }))
  const payload = base64url(JSON.stringify(publicJwk(key)))
  const secret = Buffer.from(eab.hmacKey, "base64url")
  const signature = createHmac("sha256", secret).update(`${protectedPart}.${payload}`).digest("base64url")
  return { protected: protectedPart, payload, signature }
}
