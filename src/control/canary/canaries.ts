import type { Log } from "../../base/index.ts"
import { type Config, SplitZone } from "../../config/index.ts"
import type { ExtraSample } from "../../observe/index.ts"
import type { Zones } from "../shared-zones.ts"
import { CanaryRun } from "./canary-run.ts"
import { ShareFile } from "./share-file.ts"

/** How often running canaries are looked at: often enough that one that fails does not do so for long. */
const LOOK_EVERY_MS = 250

export interface CanariesParts {
  readonly zones: Zones
  readonly log: Log
}

/** The splits of the live config, each with its canary. */
export class Canaries {
  private readonly parts: CanariesParts
  private runs = new Map<string, { readonly key: string; readonly run: CanaryRun }>()
  private timer: ReturnType<typeof setInterval> | null = null

  constructor(parts: CanariesParts) {
    this.parts = parts
  }

  /** The config is live, and so is its memory. A split whose arms and weights have not changed goes on as it is. */
  follow(config: Config): void {
    const runs: typeof this.runs = new Map()
    for (const { name, to } of config.routes) {
      if (to.kind !== "split") continue
      const { key } = SplitZone.memoryOf(name, to.split)
      const known = this.runs.get(name)
      const memory = this.parts.zones.get(key)
      if (known?.key === key) {
        known.run.adopt(to.split)
        runs.set(name, known)
      } else if (memory !== undefined) {
        const file = to.split.persist === null ? null : new ShareFile(to.split.persist, key)
        const { log } = this.parts
        const run = new CanaryRun({
          route: name,
          split: to.split,
          zone: new SplitZone(memory),
          log,
          now: () => performance.now(),
          wall: () => Date.now(),
          file,
        })
        runs.set(name, { key, run })
      }
    }
    this.runs = runs
    if (runs.size === 0) this.stop()
    else if (this.timer === null) {
      this.timer = setInterval(() => this.look(), LOOK_EVERY_MS)
      this.timer.unref()
    }
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
  }

  private look(): void {
    for (const { run } of this.runs.values()) if (run.isRunning) run.tick()
  }

  /** All of them, with counts as they are now. */
  all(): readonly CanaryRun[] {
    return [...this.runs.values()].map(({ run }) => {
      run.tick()
      return run
    })
  }

  /** For /metrics. */
  samples(): ExtraSample[] {
    return this.all().flatMap(run => {
      const { route, arms } = run.status()
      return arms.flatMap(({ name, share, requests, failures, forced }): ExtraSample[] => {
        const labels = { route, arm: name }
        return [
          { metric: "bothways_split_share", kind: "gauge", help: "Share of the requests that the arm gets, from 0 to 1.", value: share, labels },
          {
            metric: "bothways_split_requests_total",
            kind: "counter",
            help: "Requests that weight or stickiness sent to the arm.",
            value: requests,
            labels,
          },
          {
            metric: "bothways_split_failures_total",
            kind: "counter",
            help: "Of these: 5xx, and faults of the upstream side.",
            value: failures,
            labels,
          },
          {
            metric: "bothways_split_forced_total",
            kind: "counter",
            help: "Requests that a field, a cookie or a match sent to the arm.",
            value: forced,
            labels,
          },
        ]
      })
    })
  }
}
