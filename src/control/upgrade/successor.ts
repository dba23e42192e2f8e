import { Channel } from "./channel.ts"
import { HANDOFF_VARIABLE } from "./handoff.ts"

export interface SuccessorOptions {
  /** Program and arguments. */
  readonly command: readonly string[]
  /** Descriptors of ours, as `layOut` ordered them. */
  readonly fds: readonly number[]
  readonly handoff: string
  readonly timeoutMs: number
}

export type SuccessorOutcome =
  | { readonly ok: true; readonly pid: number; readonly version: string; readonly taken: readonly string[]; readonly admin: boolean }
  | { readonly ok: false; readonly code: number; readonly reason: string }

/** Between SIGTERM and SIGKILL for one that did not come up in time. */
const INSIST_MS = 2000
/** A program that fails says so and ends; its last word may come after the end. */
const LAST_WORD_MS = 100

/** The process that is to take our place, from its start until it serves or has failed. */
export class Successor {
  readonly pid: number
  readonly outcome: Promise<SuccessorOutcome>
  readonly #child: Bun.Subprocess
  readonly #channel: Channel
  #settle: (outcome: SuccessorOutcome) => void = () => {}

  /** Throws when the program cannot be started at all. The descriptors may be closed afterwards. */
  constructor(options: SuccessorOptions) {
    const { command, fds, handoff, timeoutMs } = options
    // It goes on with our input and outputs, and in our session, so that whoever follows those sees no difference.
    const stdio = ["inherit", "inherit", "inherit", "pipe", ...fds]
    this.#child = Bun.spawn([...command], { stdio: stdio as never, env: { ...process.env, [HANDOFF_VARIABLE]: handoff } })
    this.#child.unref()
    this.pid = this.#child.pid
    this.outcome = new Promise(resolve => {
      this.#settle = resolve
    })
    this.#channel = this.#listen()
    const late = setTimeout(() => this.#giveUp(`it did not serve within ${Math.round(timeoutMs / 1000)} s`), timeoutMs)
    void this.#child.exited.then(async () => {
      await Bun.sleep(LAST_WORD_MS)
      this.#settle({
        ok: false,
        code: this.#child.exitCode ?? 1,
        reason: `it ended ${howEnded(this.#child)} before it served; its error output says more`,
      })
    })
    void this.outcome.then(() => {
      clearTimeout(late)
    })
  }

  /** Tells it that nothing is held here any more. */
  letGo(): void {
    this.#channel.close()
  }

  /** Ends it unless it serves. */
  cancel(reason: string): void {
    this.#giveUp(reason)
  }

  #listen(): Channel {
    const fd = (this.#child as unknown as { stdio: readonly (number | null)[] }).stdio[3]!
    return new Channel(
      fd,
      message => {
        if (message.type === "failed") this.#settle({ ok: false, code: message.code, reason: message.reason })
        else if (message.type === "ready") {
          const { version, taken, admin } = message
          this.#settle({ ok: true, pid: this.pid, version, taken, admin })
        }
      },
      () => {},
    )
  }

  #giveUp(reason: string): void {
    this.#settle({ ok: false, code: 1, reason })
    void this.outcome.then(({ ok }) => {
      if (ok) return
      this.#child.kill("SIGTERM")
      setTimeout(() => this.#child.kill("SIGKILL"), INSIST_MS)
    })
  }
}

function howEnded({ signalCode, exitCode }: Bun.Subprocess): string {
  return signalCode === null ? `with exit code ${exitCode}` : `by ${signalCode}`
}
