import { describe, expect, test } from "bun:test"
import type { Message, ResponseMessage } from "../../../support/message.ts"
import { answer, type CachedOrigin, cachedOrigin, isHit, targetOf } from "../cached-origin.ts"

/** One request for a target of its own, what the origin says to it, and what that means for the next client. */
export interface Case {
  readonly name: string
  /** Of the route whose options count. */
  readonly host: string
  /** Field lines of the first request. The second has none. */
  readonly asks?: readonly string[]
  /** Field lines of the answer. */
  readonly says?: readonly string[]
  /** "200 OK" unless it is another one. */
  readonly status?: string
  /** End of the path, for what goes by suffixes. */
  readonly suffix?: string
  /** Seconds for which the second client finds it fresh; or the word for which the first one's answer was not stored. */
  readonly then: number | string
}

/** A proxy whose routes have these options by host, and a test for each case. */
export async function casesOf(caches: Record<string, object>, cases: readonly Case[]): Promise<CachedOrigin> {
  const targets = cases.map(({ suffix = "" }, index) => `/${index}${suffix}`)
  const world = await cachedOrigin((request: Message) => {
    const { says = [], status } = cases[targets.indexOf(targetOf(request))]!
    return answer("body", says, status)
  }, caches)
  for (const [index, { name, host, asks = [], then }] of cases.entries()) {
    describe(host, () => {
      test(`${name}: ${typeof then === "number" ? `fresh for ${then} s` : then}`, async () => {
        const host_ = `Host: ${host}`
        const first = await world.ask(targets[index]!, [host_, ...asks])
        const second = await world.ask(targets[index]!, [host_])
        if (typeof then === "string") expect([reasonOf(first), isHit(second)]).toEqual([then, false])
        else {
          expect(isHit(second)).toBe(true)
          // The time of the test counts, and whole seconds are told.
          expect(lifetimeOf(second)).toBeWithin(then - 4, then + 2)
        }
      })
    })
  }
  return world
}

/** Seconds that are left, as Cache-Status says (RFC 9211 section 2.4). */
export function lifetimeOf(response: ResponseMessage): number {
  return Number(/; ttl=(-?\d+)/.exec(response.fields["cache-status"]!)?.[1] ?? NaN)
}

/** Why it was not stored, as Cache-Status says; "" = it does not. */
export function reasonOf(response: ResponseMessage): string {
  return /; detail="?([a-z-]+)/.exec(response.fields["cache-status"]!)?.[1] ?? ""
}
