import { createHash } from "node:crypto"
import { type BodyWaiter, type Exchange, resume, type Verdict, WAIT, type Waiter } from "../flow/index.ts"
import { BODY_NONE } from "../http/index.ts"
import { requestValue } from "./key-parts.ts"
import type { RouteCache } from "./route-cache.ts"
import { Key } from "./store/key.ts"

/**
 * QUERY asks by its content: the key covers it, and what says how it is to be read (RFC 10008 section 2.7). The look-up waits until all of it has come;
 * what is more than the proxy holds back for an upstream goes by.
 */
export class QueryBody implements BodyWaiter, Waiter {
  private readonly cache: RouteCache
  private readonly x: Exchange

  constructor(cache: RouteCache, x: Exchange) {
    this.cache = cache
    this.x = x
  }

  begin(): Verdict {
    const { x } = this
    if (x.pump.requestEnded) return this.look()
    x.waiter = this
    x.pump.bodyWaiter = this
    // Nobody else would ask for it.
    if (x.expectContinue && x.down !== null && !x.pump.continued) {
      x.pump.continued = true
      x.down.continueBody()
    }
    return WAIT
  }

  cancel(x: Exchange): void {
    x.pump.bodyWaiter = null
  }

  bodyCame(x: Exchange): void {
    x.waiter = null
    const verdict = x.pump.requestEnded ? this.look() : this.cache.pass(x, "bypass", "request-body")
    if (verdict !== WAIT) resume(x, verdict)
  }

  private look(): Verdict {
    const { cache, x } = this
    const plain = cache.keyOf(x)
    const hash = createHash("sha256")
    for (const chunk of x.pump.kept ?? []) hash.update(chunk)
    for (const name of ["content-type", "content-encoding", "content-language"]) hash.update(`\n${requestValue(x, name)}`, "latin1")
    const rest = `${plain.text.substring(plain.group.length)}\nQUERY ${hash.digest("base64url")}`
    return cache.lookUp(x, new Key(plain.group, rest), 0)
  }
}

/** The cache's own request has the content of the client's. */
export function giveBody(x: Exchange, f: Exchange): void {
  if (x.method !== "QUERY" || x.requestBody === BODY_NONE) return
  f.requestBody = x.requestBody
  f.requestLength = x.requestLength
  f.pump.kept = x.pump.kept === null ? null : [...x.pump.kept]
  f.pump.keptBytes = x.pump.keptBytes
  f.pump.requestEnded = true
}
