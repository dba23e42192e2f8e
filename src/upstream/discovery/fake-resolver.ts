import { Random } from "../../base/index.ts"
import { FakeTimers } from "../fake-timers.ts"
import type { LookupDone, NameResolver, NameWatchDeps } from "./dns/name-watch.ts"

/** What the resolver of a test has to say. */
export type FakeAnswer = readonly string[] | "no such name" | "silence"

/** A resolver in a test's hands. Answers come 5 ms after the question. */
export class FakeResolver implements NameResolver {
  readonly timers: FakeTimers
  readonly answers = new Map<string, FakeAnswer>()
  /** Questions, cache look-ups apart. */
  readonly asked: { readonly at: number; readonly name: string }[] = []
  looked = 0
  ttlMs = 1_000
  private readonly expiries = new Map<string, number>()

  constructor(timers: FakeTimers) {
    this.timers = timers
  }

  lookup(name: string, done: LookupDone): void {
    const expiresAt = this.expiries.get(name) ?? 0
    if (expiresAt <= this.timers.clock.now()) return this.refresh(name, done)
    this.looked++
    this.answer(name, done, expiresAt)
  }

  refresh(name: string, done: LookupDone): void {
    this.asked.push({ at: this.timers.clock.now() - 1_000, name })
    if (this.answers.get(name) !== "silence") this.timers.after(5, () => this.answer(name, done, this.timers.clock.now() + this.ttlMs))
  }

  private answer(name: string, done: LookupDone, expiresAt: number): void {
    const answer = this.answers.get(name) ?? "no such name"
    if (typeof answer === "string") return done({ message: `${name}: ${answer}` }, [], 0)
    this.expiries.set(name, expiresAt)
    done(null, answer, expiresAt)
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
