import { afterAll } from "bun:test"
import { type Case, casesOf } from "./fates.ts"

// How long an answer is fresh (RFC 9111 section 4.2), as the options of the route change it.

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toUTCString()
const inAnHour = `Expires: ${ago(-3600)}`
const changed = `Last-Modified: ${ago(100_000)}`
const cookie = ["Cookie: sid=1"]
const credentials = ["Authorization: Basic YTpi"]
const secret = ["Cache-Control: private"]

const ttl: Omit<Case, "host">[] = [
  { name: "nothing is said", then: 600 },
  { name: "the answer's own counts first", says: ["Cache-Control: max-age=60"], then: 60 },
  { name: "Expires too", says: [inAnHour], then: 3600 },
  { name: "before the heuristic", says: [changed], then: 600 },
  { name: "not against no-store", says: ["Cache-Control: no-store"], then: "no-store" },
  { name: "not against private", says: secret, then: "private" },
  { name: "not against no-cache", says: ["Cache-Control: no-cache"], then: "no-freshness" },
  { name: "not against a date that has passed", says: ["Expires: 0"], then: "no-freshness" },
  { name: "not for a cookie", asks: cookie, then: "cookie" },
  { name: "a cookie, and the answer says how long", asks: cookie, says: ["Cache-Control: max-age=60"], then: 60 },
  { name: "not for credentials", asks: credentials, then: "authorization" },
  { name: "credentials, and public alone", asks: credentials, says: ["Cache-Control: public"], then: "no-freshness" },
  { name: "credentials, and the answer says how long", asks: credentials, says: ["Cache-Control: public, max-age=60"], then: 60 },
  { name: "203", status: "203 Non-Authoritative Information", then: 600 },
  { name: "301", status: "301 Moved Permanently", says: ["Location: /b"], then: 600 },
  { name: "308", status: "308 Permanent Redirect", says: ["Location: /b"], then: 600 },
  { name: "302 is for now", status: "302 Found", says: ["Location: /b"], then: "no-freshness" },
  { name: "404 is no good answer", status: "404 Not Found", then: "no-freshness" },
  { name: "503 is none", status: "503 Service Unavailable", then: "no-freshness" },
  { name: "a page under the name of a picture", suffix: ".png", says: ["Content-Type: text/html"], then: "content-mismatch" },
  { name: "a picture under its own", suffix: ".png", says: ["Content-Type: image/png"], then: 600 },
]

const force: Omit<Case, "host">[] = [
  { name: "nothing is said", then: 600 },
  { name: "over max-age", says: ["Cache-Control: max-age=0, must-revalidate"], then: 600 },
  { name: "over no-store", says: ["Cache-Control: no-store, no-cache", "Pragma: no-cache", "Expires: 0"], then: 600 },
  { name: "over private", says: secret, then: 600 },
  { name: "a cookie is for one user all the same", says: ["Set-Cookie: sid=1", ...secret], then: "set-cookie" },
  { name: "a cookie that public allows, too", says: ["Set-Cookie: sid=1", "Cache-Control: public, max-age=60"], then: "set-cookie" },
  { name: "a page under the name of a picture", suffix: ".png", says: ["Content-Type: text/html", ...secret], then: "content-mismatch" },
]

const negative: Omit<Case, "host">[] = [
  { name: "404", status: "404 Not Found", then: 30 },
  { name: "404 that says how long", status: "404 Not Found", says: ["Cache-Control: max-age=600"], then: 600 },
  { name: "404 that says no-store", status: "404 Not Found", says: ["Cache-Control: no-store"], then: "no-store" },
  { name: "404 of who shows a cookie", asks: cookie, status: "404 Not Found", then: "cookie" },
  { name: "503", status: "503 Service Unavailable", then: 10 },
  { name: "302", status: "302 Found", says: ["Location: /b"], then: 20 },
  { name: "a status that is not named", status: "500 Internal Server Error", then: "no-freshness" },
  { name: "a good answer", then: "no-freshness" },
]

const heuristic: Omit<Case, "host">[] = [
  { name: "half of the time", says: [changed], then: 50_000 },
  { name: "at most a day", says: [`Last-Modified: ${ago(1_000_000)}`], then: 86_400 },
  { name: "who shows a cookie has none", asks: cookie, says: [changed], then: "cookie" },
  { name: "404", status: "404 Not Found", says: [changed], then: 50_000 },
  { name: "302 only if public", status: "302 Found", says: ["Location: /b", changed], then: "no-freshness" },
]

const on = (host: string, cases: readonly Omit<Case, "host">[]): Case[] => cases.map(one => ({ ...one, host }))
const world = await casesOf(
  {
    "ttl.test": { ttl: "10m" },
    "force.test": { forceTtl: "10m" },
    "negative.test": { negativeTtl: { 302: "20s", 404: "30s", 503: "10s" } },
    "default.test": {},
    "half.test": { heuristic: "50%" },
    "off.test": { heuristic: "off" },
  },
  [
    ...on("ttl.test", ttl),
    ...on("force.test", force),
    ...on("negative.test", negative),
    ...on("half.test", heuristic),
    { name: "a tenth of the time", host: "default.test", says: [changed], then: 10_000 },
    { name: "nothing is said", host: "default.test", then: "no-freshness" },
  ],
)
afterAll(() => world[Symbol.asyncDispose]())
