import { Random } from "../../base/index.ts"
import { FakeTimers } from "../fake-timers.ts"
import type { LookupDone, NameResolver, NameWatchDeps } from "./dns/name-watch.ts"

/** What the name servers of a test say: addresses, or how they fail. */
export type FakeAnswer = readonly string[] | "SERVFAIL" | "NXDOMAIN" | "silence"

/** Name servers in a test's hands. Answers come 5 ms after the question. */
export class FakeResolver implements NameResolver {
  readonly timers: FakeTimers
  readonly answers = new Map<string, FakeAnswer>()
  readonly asked: { readonly at: number; readonly name: string; readonly anew: boolean }[] = []
  ttlMs = 1_000

  constructor(timers: FakeTimers) {
    this.timers = timers
  }

  lookup(name: string, done: LookupDone): void {
    this.ask(name, false, done)
  }

  refresh(name: string, done: LookupDone): void {
    this.ask(name, true, done)
  }

  private ask(name: string, anew: boolean, done: LookupDone): void {
    this.asked.push({ at: this.timers.clock.now() - 1_000, name, anew })
    const answer = this.answers.get(name) ?? "NXDOMAIN"
    if (answer === "silence") return
    this.timers.after(5, () => {
      if (answer === "SERVFAIL" || answer === "NXDOMAIN") done({ message: `${name}: ${answer}`, notFound: answer === "NXDOMAIN" }, [], 0)
      else done(null, answer, this.timers.clock.now() + this.ttlMs)
    })
  }
}

export function fakeNames(extra: Partial<NameWatchDeps> = {}) {
  const timers = new FakeTimers()
  const resolver = new FakeResolver(timers)
  const troubles: (string | null)[] = []
  const deps: NameWatchDeps = {
    resolver,
    clock: timers.clock,
    timers,
    random: new Random(1),
    onTrouble: (_name, message) => troubles.push(message),
    ...extra,
  }
  return { timers, resolver, deps, troubles }
}
