import { afterAll } from "bun:test"
import { type Case, casesOf } from "./fates.ts"

// forceTtl is for good answers to requests that nothing shows to be one user's. Of all others what the server says counts, no-store and private first (RFC 9111 section 3).

const inAnHour = `Expires: ${new Date(Date.now() + 3_600_000).toUTCString()}`
const changed = `Last-Modified: ${new Date(Date.now() - 100_000_000).toUTCString()}`
const cookie = ["Cookie: sid=1"]
const credentials = ["Authorization: Basic YTpi"]
const secret = ["Cache-Control: private"]

const cases: Omit<Case, "host">[] = [
  { name: "not for who shows a cookie", asks: cookie, says: secret, then: "private" },
  { name: "nor with a date beside it", asks: cookie, says: [inAnHour, ...secret], then: "private" },
  { name: "who shows a cookie gets what is said", asks: cookie, says: ["Cache-Control: max-age=60"], then: 60 },
  { name: "not for credentials", asks: credentials, says: [inAnHour, "Cache-Control: no-store"], then: "no-store" },
  { name: "404 is what it says", status: "404 Not Found", says: [changed, "Cache-Control: no-store"], then: "no-store" },
  { name: "302 is what it says", status: "302 Found", says: ["Location: /b", inAnHour, ...secret], then: "private" },
]
const world = await casesOf(
  { "force.test": { forceTtl: "10m" } },
  cases.map(one => ({ ...one, host: "force.test" })),
)
afterAll(() => world[Symbol.asyncDispose]())
