import { type ChildProcess, spawn } from "node:child_process"
import type { Log } from "../../base/index.ts"
import type { Config } from "../../config/index.ts"
import { setSocketMark } from "../../net/index.ts"
import { applyCapture, captureOwner, endCapture, ownerOf, removeCapture } from "./capture-kernel.ts"
import { type CapturePlan, capturePlan } from "./capture-plan.ts"
import { TABLE } from "./capture-rules.ts"

/** Ends the table of a process that has gone without a word: its end of the pipe closes with it, however it ends. The first argument is the owner's chain. */
const WATCH = `cat > /dev/null; nft list chain inet ${TABLE} "$1" > /dev/null 2>&1 && nft delete table inet ${TABLE}`

/** Keeps nftables as the live config wants it. The rules come when the workers listen, and go when the proxy stops. */
export class CaptureKeeper {
  private readonly id: string
  private readonly log: Log
  private applied = ""
  private plan: CapturePlan | null = null
  private watch: ChildProcess | null = null

  constructor(id: string, log: Log) {
    this.id = id
    this.log = log
  }

  /** The config is live. */
  follow(config: Config): void {
    setSocketMark(config.capture?.mark ?? 0)
    const plan = config.capture?.apply === "run" ? capturePlan(config) : null
    const wanted = plan === null ? "" : JSON.stringify(plan)
    if (wanted === this.applied) return
    if (plan === null) return this.remove()
    try {
      applyCapture(plan, this.id)
      this.applied = wanted
      this.plan = plan
      this.log.info("connections are captured", { machine: plan.machine?.port ?? 0, network: plan.network?.port ?? 0, killSwitch: plan.killSwitch })
      if (plan.killSwitch) this.endWatch()
      else this.beginWatch()
    } catch (error) {
      this.log.error("connections are not captured", { reason: (error as Error).message })
    }
  }

  /** The proxy finishes what it has, and takes nothing new. */
  drain(): void {
    if (this.plan === null) return
    try {
      endCapture(this.plan, this.id)
      this.log.info("nothing new is captured")
    } catch (error) {
      this.log.error("new connections are still captured, and refused", { reason: (error as Error).message })
    }
  }

  /** Takes back what is still this process's: one that took over has made the rules its own. */
  stop(): void {
    if (this.applied !== "") this.remove()
  }

  private remove(): void {
    this.applied = ""
    this.plan = null
    this.endWatch()
    try {
      if (removeCapture(this.id)) this.log.info("connections are no longer captured")
      else if (captureOwner() !== "") this.log.info("the rules of capture belong to another process and stay")
    } catch (error) {
      this.log.error("the rules of capture are still in force; `bothways capture remove` ends them", { reason: (error as Error).message })
    }
  }

  private beginWatch(): void {
    if (this.watch !== null) return
    // A group of its own: what ends the proxy from the keyboard must not end it first.
    this.watch = spawn("sh", ["-c", WATCH, "sh", ownerOf(this.id)], { stdio: ["pipe", "ignore", "ignore"], detached: true })
    this.watch.on("error", error => this.log.error("nobody would take the rules of capture back after a crash", { reason: error.message }))
    this.watch.unref()
  }

  private endWatch(): void {
    this.watch?.kill("SIGKILL")
    this.watch = null
  }
}
