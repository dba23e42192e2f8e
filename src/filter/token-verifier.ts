import { errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose"
import type { KeySource } from "./key-source.ts"
import { Unavailable } from "./published.ts"

/** Signatures that anybody can check and only the issuer can make. */
export const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const
export const symmetric = ["HS256", "HS384", "HS512"] as const

/** A token that is not believed; the message says why, without the token. */
export class TokenRefused extends Error {
  override name = "TokenRefused"
}

/**
 * Checks a token against keys: signature first, then issuer, audience and times. The algorithms are those of the config and never the token's word alone;
 * keys of one kind check no algorithm of another. An unknown key is looked for once. Throws TokenRefused or Unavailable.
 */
export async function verifyToken(token: string, keys: KeySource, options: JWTVerifyOptions): Promise<JWTPayload> {
  if (!isPlain(token)) throw new TokenRefused("the token is not three parts in base64url")
  await keys.ready()
  try {
    return await verifyOnce(token, keys, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusal(error)
    if (!(await keys.refetch())) throw refusal(error)
  }
  try {
    return await verifyOnce(token, keys, options)
  } catch (error) {
    throw refusal(error)
  }
}

async function verifyOnce(token: string, keys: KeySource, options: JWTVerifyOptions): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, (header, input) => keys.find(header, input) as Promise<CryptoKey>, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    return await verifyWithEach(error, token, options)
  }
}

/** The token does not say which key: one of those that could be must fit. */
async function verifyWithEach(candidates: errors.JWKSMultipleMatchingKeys, token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
  let last: unknown = candidates
  for await (const key of candidates) {
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      last = error
    }
  }
  throw last
}

function refusal(error: unknown): Error {
  if (error instanceof Unavailable) return error
  return new TokenRefused(error instanceof Error ? error.message : String(error))
}

const form = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/**
 * Three parts in base64url, each of which could not be written in another way: the last character of a part has bits that decoders leave out of account
 * (RFC 4648 section 3.5), and one token would have many forms.
 */
function isPlain(token: string): boolean {
  return (
    form.test(token) && token.split(".").every(part => part.length % 4 !== 1 && (alphabet.indexOf(part.at(-1)!) & spareBits(part.length % 4)) === 0)
  )
}

/** Bits of the last character that say nothing. */
function spareBits(remainder: number): number {
  return remainder === 2 ? 15 : remainder === 3 ? 3 : 0
}
