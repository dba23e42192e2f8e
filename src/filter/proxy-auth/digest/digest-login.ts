import { randomBytes, timingSafeEqual } from "node:crypto"
import type { Exchange } from "../../../flow/index.ts"
import type { FilterDeps } from "../../../plugin/index.ts"
import { isIn, type Outcome, STALE, WRONG } from "../outcome.ts"
import { parseDigest } from "./digest-credentials.ts"
import type { DigestOptions } from "./digest-options.ts"
import { digestAlgorithms, digestResponse } from "./digest-response.ts"
import { type Htdigest, parseHtdigest } from "./htdigest.ts"
import { Nonces } from "./nonces.ts"

/** The scheme Digest (RFC 7616) for proxies: the password never travels, and no answer counts twice. */
export class DigestLogin {
  private readonly options: DigestOptions
  private readonly realm: string
  private readonly nonces: Nonces
  private users: Htdigest
  /** What is computed with for users who do not exist. */
  private readonly decoy = randomBytes(32).toString("hex")

  constructor(options: DigestOptions, realm: string, deps: FilterDeps) {
    this.options = options
    this.realm = realm
    this.nonces = new Nonces(options.nonceLife, options.noncesMax, deps)
    const path = deps.path(options.htdigest)
    const content = deps.watchFile(path, changed => {
      this.users = parseHtdigest(changed, path, realm)
    })
    this.users = parseHtdigest(content, path, realm)
  }

  get text(): string {
    return `digest: ${this.users.size} users of ${this.options.htdigest}`
  }

  /** Challenges, strongest first (RFC 7616 section 3.3). */
  challenges(stale: boolean): string {
    const nonce = this.nonces.make(Date.now())
    const more = `qop="auth", nonce="${nonce}"${stale ? ", stale=true" : ""}, charset=UTF-8${this.options.userhash ? ", userhash=true" : ""}`
    let lines = ""
    for (const algorithm of digestAlgorithms)
      if (this.options.algorithms.includes(algorithm))
        lines += `Proxy-Authenticate: Digest realm="${this.realm}", ${more}, algorithm=${algorithm}\r\n`
    return lines
  }

  /** `mayBeNew`: false = only those who have been in with this nonce are looked at. */
  check(x: Exchange, value: string, mayBeNew: boolean): Outcome | null {
    const said = parseDigest(value)
    if (said === null || said.realm !== this.realm || !this.options.algorithms.includes(said.algorithm)) return mayBeNew ? WRONG : null
    const age = this.nonces.ageOf(said.nonce, Date.now())
    if (!mayBeNew && age !== "known") return null
    const user = said.hashed ? (this.options.userhash ? this.users.nameOf(said.user, said.algorithm) : "") : said.user
    const ha1 = this.users.find(user, said.algorithm)
    const expected = digestResponse({ ...said, ha1: ha1 ?? this.decoy, method: x.method })
    const right = said.response.length === expected.length && timingSafeEqual(Buffer.from(said.response, "latin1"), Buffer.from(expected, "latin1"))
    if (ha1 === null || !right || !isTarget(said.uri, x)) return WRONG
    if (age === "old" || !this.nonces.use(said.nonce, Number.parseInt(said.nc, 16))) return STALE
    return isIn(user, [], 0)
  }
}

/**
 * Whether an answer was made for this request (RFC 7616 section 3.4.6). Of an absolute target curl and browsers take path and query only, others the whole.
 */
function isTarget(uri: string, x: Exchange): boolean {
  if (x.method === "CONNECT" && x.path === "") return uri.toLowerCase() === x.authority.toLowerCase()
  const target = x.path + x.query
  if (uri === target) return true
  const origin = `${x.scheme}://${x.authority}`
  const rest = uri.slice(origin.length)
  return uri.slice(0, origin.length).toLowerCase() === origin.toLowerCase() && (rest === target || (rest === "" && target === "/"))
}
