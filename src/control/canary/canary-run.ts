import type { Log } from "../../base/index.ts"
import { SHARE_ONE, SplitShares, type SplitConfig, type SplitZone } from "../../config/index.ts"
import { ArmTally } from "./arm-tally.ts"
import { type CanaryStatus, statusOf } from "./canary-status.ts"
import type { KeptRun, ShareFile } from "./share-file.ts"
import { type Judgement, Trial } from "./trial.ts"

export type CanaryState = "idle" | "running" | "promoted" | "rolled-back" | "aborted"

export interface CanaryEvent {
  /** ISO 8601. */
  readonly at: string
  readonly what: string
}

export interface CanaryRunParts {
  readonly route: string
  readonly split: SplitConfig
  readonly zone: SplitZone
  readonly log: Log
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds of the epoch. */
  readonly wall: () => number
  /** Keeps shares over a restart; null = they are not kept. */
  readonly file: ShareFile | null
}

/** What becomes of a canary, as the log says it. */
type Word = "started" | "taken up again" | "stepped" | "promoted" | "aborted" | "rolled back" | "left alone"

const EVENTS_MAX = 50
const NOT_TRIED: Judgement = { verdict: "wait", why: "nothing has been looked at yet" }

/** The canary of one split: its share, which workers read from the split's memory, and what moves it. Lives in the control thread. */
export class CanaryRun {
  readonly route: string
  state: CanaryState = "idle"
  /** Share of the canary before the run, to go back to; -1 = the config's. */
  before = -1
  /** When the share was last set, by `now`. */
  since: number
  judgement: Judgement = NOT_TRIED
  trial: Trial | null = null
  readonly events: CanaryEvent[] = []
  readonly tallies: readonly ArmTally[]
  readonly shares: SplitShares
  split: SplitConfig
  private trials = 0
  private trialSince = 0
  private readonly parts: CanaryRunParts
  private advised = ""

  constructor(parts: CanaryRunParts) {
    this.parts = parts
    this.split = parts.split
    this.route = parts.route
    this.shares = new SplitShares(parts.split, parts.zone)
    this.tallies = parts.split.arms.map((_, arm) => new ArmTally(parts.zone, arm))
    this.since = parts.now()
    this.takeUp()
  }

  /** What a run before a restart has left; or a share in the config, which is a canary that has begun. */
  private takeUp(): void {
    const kept = this.parts.file?.read() ?? null
    if (kept !== null) return this.restore(kept)
    const share = this.shares.configured(this.split.canaryArm)
    if (this.split.canary?.auto !== true || share <= 0 || share >= 1) return
    this.before = 0
    this.state = "running"
    this.begin("started", `at ${percent(share)}, which the config gives it`)
  }

  private restore(kept: KeptRun): void {
    const { canaryArm } = this.split
    this.before = kept.before
    this.state = kept.state
    this.parts.zone.setShare(canaryArm, kept.share < 0 ? -1 : Math.round(kept.share * SHARE_ONE))
    this.begin("taken up again", `as ${kept.state}, at ${percent(this.share)}`)
  }

  /** Share of the canary now, from 0 to 1. */
  get share(): number {
    return this.shares.now()[this.split.canaryArm]!
  }

  /** The next share that the steps have, null = there is none. */
  get next(): number | null {
    const { share } = this
    return this.split.canary?.steps.find(step => step > share + 1 / SHARE_ONE) ?? null
  }

  get isRunning(): boolean {
    return this.state === "running"
  }

  /** New settings of the same arms. */
  adopt(split: SplitConfig): void {
    this.split = split
  }

  // ---- commands: "" = done, else why not

  start(to: number | null): string {
    if (this.isRunning) return `the canary of ${this.route} is running already, at ${percent(this.share)}; step, promote or abort it`
    const share = to ?? this.split.canary?.steps[0] ?? null
    if (share === null) return `the route ${this.route} has no steps: say how much, such as --to 5%`
    // From a canary that has been promoted one starts anew at what the config says.
    this.before = this.state === "promoted" ? -1 : this.parts.zone.shareOf(this.split.canaryArm) / SHARE_ONE
    if (this.before < 0) this.before = -1
    this.trials = 0
    this.state = "running"
    this.set(share)
    this.begin("started", `at ${percent(share)}`)
    return ""
  }

  step(to: number | null): string {
    if (!this.isRunning) return `the canary of ${this.route} is not running; start it`
    const share = to ?? this.next
    if (share === null) return `the canary of ${this.route} has no step beyond ${percent(this.share)}; promote it, or say how much with --to`
    this.stepTo(share, "as commanded")
    return ""
  }

  promote(): string {
    if (this.state === "promoted") return `the canary of ${this.route} has everything already`
    if (!this.isRunning) this.before = this.parts.zone.shareOf(this.split.canaryArm) < 0 ? -1 : this.share
    this.finish("promoted", 1, "by command: all requests go to it")
    return ""
  }

  /** Back to the share before the run, whatever has become of it. Without a run: to nothing. */
  abort(): string {
    const hasRun = this.isRunning || this.state === "promoted"
    this.finish("aborted", hasRun ? this.before : 0, "by command")
    return ""
  }

  // ---- by itself

  /** Looks at what has come since the last time, and acts on it. */
  tick(): void {
    const deltas = this.tallies.map(tally => tally.next())
    const { canary, canaryArm } = this.split
    if (!this.isRunning || canary === null || this.trial === null) return
    this.trial.look(deltas[this.shares.base]!, deltas[canaryArm]!)
    this.judgement = this.trial.judge()
    const now = this.parts.now()
    if (this.judgement.verdict === "worse") {
      if (canary.auto) this.rollBack(this.judgement.why)
      else this.advise("would be rolled back")
    } else if (this.judgement.verdict === "good" && now - this.since >= canary.every) {
      if (!canary.auto) this.advise("could take its next step")
      else if (this.next !== null) this.stepTo(this.next, this.judgement.why)
    }
    if (this.isRunning && now - this.trialSince >= (canary.window ?? canary.every) && this.judgement.verdict === "good") this.tryAnew()
  }

  private rollBack(why: string): void {
    const from = percent(this.share)
    this.state = "rolled-back"
    this.set(this.before)
    this.trial = null
    this.tell("warn", "rolled back", `from ${from} to ${percent(this.share)}: ${why}`)
  }

  private advise(what: string): void {
    if (this.advised === what) return
    this.advised = what
    this.tell("warn", "left alone", `as auto is off, it ${what}: ${this.judgement.why}`)
  }

  private stepTo(share: number, why: string): void {
    if (share >= 1) return this.finish("promoted", 1, `by its last step: ${why}`)
    this.set(share)
    this.begin("stepped", `to ${percent(share)}: ${why}`)
  }

  private finish(state: "promoted" | "aborted", share: number, why: string): void {
    this.state = state
    this.trial = null
    this.set(share)
    this.tell("info", state, state === "aborted" ? `${why}: back to ${percent(this.share)}` : why)
  }

  private begin(word: Word, why: string): void {
    this.since = this.parts.now()
    this.judgement = NOT_TRIED
    this.advised = ""
    this.tryAnew()
    this.tell("info", word, why)
  }

  private tryAnew(): void {
    this.trial = null
    if (this.split.canary === null || !this.isRunning) return
    this.trialSince = this.parts.now()
    for (const tally of this.tallies) tally.next()
    this.trial = new Trial(this.split.canary.analysis, ++this.trials, this.tallies[this.shares.base]!.total)
  }

  /** -1 = the config's. */
  private set(share: number): void {
    this.parts.zone.setShare(this.split.canaryArm, share < 0 ? -1 : Math.round(share * SHARE_ONE))
    this.since = this.parts.now()
  }

  private tell(level: "info" | "warn", word: Word, why: string): void {
    const { log, wall, file, zone } = this.parts
    this.events.push({ at: new Date(wall()).toISOString(), what: `${word} ${why}` })
    if (this.events.length > EVENTS_MAX) this.events.shift()
    log[level](`the canary is ${word}`, { route: this.route, arm: this.split.arms[this.split.canaryArm]!.name, why })
    const live = zone.shareOf(this.split.canaryArm)
    const problem = file?.write({ state: this.state, share: live < 0 ? -1 : live / SHARE_ONE, before: this.before }) ?? ""
    if (problem !== "") log.error("the shares of a split cannot be kept", { route: this.route, problem })
  }

  status(): CanaryStatus {
    return statusOf(this, this.parts.now())
  }
}

/** `12.5 %` */
export function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`
}
