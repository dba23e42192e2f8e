import { afterAll, afterEach, beforeAll, describe, expect, setSystemTime, test } from "bun:test"
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from "jose"
import { setLogSink } from "../base/index.ts"
import { type FindKey, parseKeySet, RemoteKeys } from "./key-source.ts"
import { Published, Unavailable } from "./published.ts"
import { TokenRefused, verifyToken } from "./token-verifier.ts"

beforeAll(() => setLogSink(() => {}))
afterAll(() => setLogSink(null))
afterEach(() => void setSystemTime())

async function signer(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid }
  return { jwk, token: () => new SignJWT({ sub: kid }).setProtectedHeader({ alg: "ES256", kid }).sign(privateKey) }
}

/** An issuer that can be down, and counts who asks. */
class Issuer {
  keys: unknown[] = []
  down = false
  asked = 0
  readonly source = new RemoteKeys(
    new URL("https://id.test/jwks"),
    { refreshMs: 600_000, refetchMs: 30_000, staleMs: 3_600_000, timeoutMs: 1000 },
    async () => {
      this.asked++
      if (this.down) throw new Error("down")
      return { status: 200, body: JSON.stringify({ keys: this.keys }) }
    },
    new Published<FindKey>(text => createLocalJWKSet(parseKeySet(text, "keys"))),
  )

  check(token: string): Promise<string> {
    return verifyToken(token, this.source, { algorithms: ["ES256"] }).then(
      ({ sub }) => sub!,
      error => (error instanceof Unavailable ? "unavailable" : error instanceof TokenRefused ? "refused" : String(error)),
    )
  }
}

const later = (ms: number) => setSystemTime(Date.now() + ms)

describe("keys of an issuer", () => {
  test("asked for once by many, and not again", async () => {
    const issuer = new Issuer()
    const one = await signer("one")
    issuer.keys = [one.jwk]
    const token = await one.token()
    expect(await Promise.all(Array.from({ length: 20 }, () => issuer.check(token)))).toEqual(Array(20).fill("one"))
    expect(issuer.asked).toBe(1)
  })

  test("rotation: a new key is looked for when a token names it, at most every refetch", async () => {
    const issuer = new Issuer()
    const [one, two] = await Promise.all([signer("one"), signer("two")])
    issuer.keys = [one.jwk]
    await issuer.check(await one.token())
    issuer.keys = [two.jwk]
    expect(await issuer.check(await two.token())).toBe("refused")
    expect(issuer.asked).toBe(1)
    later(31_000)
    expect(await issuer.check(await two.token())).toBe("two")
    expect(await issuer.check(await one.token())).toBe("refused")
    expect(issuer.asked).toBe(2)
  })

  test("down: the last keys stay until they are too old, then nothing is believed", async () => {
    const issuer = new Issuer()
    const [one, two] = await Promise.all([signer("one"), signer("two")])
    issuer.keys = [one.jwk]
    await issuer.check(await one.token())
    issuer.down = true
    later(700_000)
    issuer.source.refresh()
    await Bun.sleep(1)
    expect(await issuer.check(await one.token())).toBe("one")
    later(2000)
    expect(await issuer.check(await two.token())).toBe("unavailable")
    later(3_600_000)
    expect(await issuer.check(await one.token())).toBe("unavailable")
    const { asked } = issuer
    await Promise.all(Array.from({ length: 50 }, async () => issuer.check(await one.token())))
    expect(issuer.asked - asked).toBeLessThanOrEqual(1)
    issuer.down = false
    later(1500)
    expect(await issuer.check(await one.token())).toBe("one")
  })

  test("an answer that is no key set changes nothing", async () => {
    const issuer = new Issuer()
    const one = await signer("one")
    issuer.keys = [one.jwk]
    await issuer.check(await one.token())
    issuer.keys = []
    later(31_000)
    issuer.source.refresh()
    await Bun.sleep(1)
    expect(await issuer.check(await one.token())).toBe("one")
  })

  test.each(["", "[]", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AA"}]}', '{"keys":{}}', "null"])("%j is no key set", text =>
    expect(() => parseKeySet(text, "f")).toThrow(/^f: /),
  )
})
