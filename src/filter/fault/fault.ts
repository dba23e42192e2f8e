import { z } from "zod"
import { count, duration, type Fault, FAULT, ratio, Timer, type TimerOwner } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, localReply, NEXT, resume, type Verdict, WAIT, type Waiter } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { fieldText } from "../headers/edit-fields.ts"

/** Memory of all workers under this key: its one word is 1 while nothing is injected, whatever the config says. */
const SWITCH = "fault:switch"
const SWITCH_BYTES = 4
/** Milliseconds that a delay may last. */
const DELAY_MAX = 3_600_000

const share = ratio().prefault("100%").describe("Part of the requests, by chance.")

const resetSchema = z.union([
  z.literal(false).transform((): null => null),
  z.literal(true).transform((): { share: number } => ({ share: 1 })),
  z.strictObject({ share }),
])

const options = z
  .strictObject({
    delay: z
      .strictObject({ for: duration({ min: 1, max: DELAY_MAX }).describe("How long a request waits before it goes on."), share })
      .optional()
      .describe("Makes requests slow."),
    abort: z
      .strictObject({ status: count(400, 599).prefault(503).describe("Status of the answer."), share })
      .optional()
      .describe("Answers in place of the peer."),
    reset: resetSchema.prefault(false).describe("Ends the client's connection without an answer (HTTP/2: the stream)."),
    when: z
      .strictObject({
        header: z
          .string()
          .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected the name of a field")
          .describe("Field that a request must have."),
        value: z.string().optional().describe("Its value. Default: any."),
      })
      .optional()
      .describe("Only these requests. Default: all of the route."),
  })
  .refine(({ delay, abort, reset }) => delay !== undefined || abort !== undefined || reset !== null, "expected a delay, an abort or a reset")

type Options = z.output<typeof options>

/** One request that waits. */
class Delay implements TimerOwner, Waiter {
  private readonly timer = new Timer(this)
  private readonly x: Exchange
  private readonly time: Time
  private readonly end: (x: Exchange) => Verdict

  constructor(x: Exchange, time: Time, end: (x: Exchange) => Verdict) {
    this.x = x
    this.time = time
    this.end = end
  }

  begin(ms: number): Verdict {
    this.x.waiter = this
    this.time.wheel.schedule(this.timer, this.time.clock.now() + ms)
    return WAIT
  }

  cancel(): void {
    this.time.wheel.cancel(this.timer)
  }

  onTimer(): void {
    resume(this.x, this.end(this.x) as Exclude<Verdict, 1>)
  }
}

/** The connection ends: a fault without a status of its own. */
const RESET: Fault = Object.freeze({ ...FAULT.injected, status: 0, close: true })

function falls(part: { readonly share: number } | null | undefined): boolean {
  return part !== null && part !== undefined && (part.share >= 1 || Math.random() < part.share)
}

export default defineFilter<Options>({
  name: "fault",
  summary: "Injects faults for drills: delays, answers with an error, resets.",
  options,
  build({ delay, abort, reset, when }, deps) {
    const { time } = deps
    const off = new Int32Array(deps.shared(SWITCH, SWITCH_BYTES))
    const delays = deps.counter("fault_delays", "Requests that a drill delayed.")
    const lower = when?.header.toLowerCase() ?? ""
    const injected = Object.freeze({ ...FAULT.injected, status: abort?.status ?? FAULT.injected.status })
    const isMeant = (x: Exchange): boolean => {
      if (lower === "") return true
      const value = fieldText(x.request, lower)
      return when!.value === undefined ? value !== "" : value === when!.value
    }
    const end = (x: Exchange): Verdict => {
      if (falls(reset)) {
        x.fault = RESET
        return FAULT_VERDICT
      }
      if (!falls(abort)) return NEXT
      x.fault = FAULT.injected
      localReply(x, injected)
      return ANSWER
    }
    return {
      request(x) {
        if (Atomics.load(off, 0) === 1 || !isMeant(x)) return NEXT
        if (delay === undefined || !falls(delay)) return end(x)
        delays.add(1)
        return new Delay(x, time, end).begin(delay.for)
      },
      describe: () => describe({ delay, abort, reset, when }),
    }
  },
})

function describe({ delay, abort, reset, when }: Options): string {
  const of = (part: { readonly share: number }): string => `${Number((part.share * 100).toFixed(4))} % of requests`
  const said = [
    delay === undefined ? "" : `delays ${of(delay)} by ${delay.for} ms`,
    abort === undefined ? "" : `answers ${of(abort)} with ${abort.status}`,
    reset === null ? "" : `resets ${of(reset)}`,
  ].filter(text => text !== "")
  return `${said.join(", ")}${when === undefined ? "" : ` with ${when.header}`}, for a drill`
}
