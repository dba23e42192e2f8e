// HOT
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import type { Limit } from "./limit.ts"

/**
 * Tells the client its quota, on answers of all kinds. RateLimit-Policy says what the limits are, RateLimit what is left of each and when all of it is there
 * again (draft-ietf-httpapi-ratelimit-headers-10: lists of strings with parameters, RFC 9651). The X-RateLimit fields, which no standard describes, tell of the
 * limit that has the least left; their reset is in seconds from now.
 */
export class QuotaFields {
  private readonly limits: readonly Limit[]
  private readonly standard: boolean
  private readonly legacy: boolean
  private readonly policies: readonly string[]

  constructor(limits: readonly Limit[], kind: "standard" | "legacy" | "both") {
    this.limits = limits
    this.standard = kind !== "legacy"
    this.legacy = kind !== "standard"
    // allow(map): once, when the filter is built
    this.policies = limits.map(policyOf)
  }

  add(x: Exchange): Verdict {
    const { limits } = this
    let policy = ""
    let quota = ""
    let least = -1
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i]!
      const left = limit.leftOf(x)
      if (left < 0) continue
      if (least < 0 || left < limits[least]!.leftOf(x)) least = i
      const item = `"${limit.name}";r=${left};t=${limit.resetOf(x)}`
      policy = policy === "" ? this.policies[i]! : `${policy}, ${this.policies[i]!}`
      quota = quota === "" ? item : `${quota}, ${item}`
    }
    if (least < 0) return NEXT
    if (this.standard) x.response.extra += `RateLimit-Policy: ${policy}\r\nRateLimit: ${quota}\r\n`
    if (this.legacy) this.addLegacy(x, limits[least]!)
    return NEXT
  }

  private addLegacy(x: Exchange, limit: Limit): void {
    const { requests } = limit.options
    x.response.extra += `X-RateLimit-Limit: ${requests}\r\nX-RateLimit-Remaining: ${limit.leftOf(x)}\r\nX-RateLimit-Reset: ${limit.resetOf(x)}\r\n`
  }
}

/** The window of a policy is in whole seconds, so that a shorter period is told as what it gives in one. */
function policyOf({ name, options: { requests, per } }: Limit): string {
  if (per % 1000 === 0) return `"${name}";q=${requests};w=${per / 1000}`
  const seconds = Math.ceil(per / 1000)
  return `"${name}";q=${Math.floor((requests * seconds * 1000) / per)};w=${seconds}`
}
