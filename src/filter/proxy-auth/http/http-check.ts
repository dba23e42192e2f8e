import { type Fault, log } from "../../../base/index.ts"
import type { Exchange, OwnAnswer } from "../../../flow/index.ts"
import type { ClusterHandle, FilterDeps } from "../../../plugin/index.ts"
import { Remembered } from "../../remembered.ts"
import {
  BUSY,
  isIn,
  isName,
  NONE,
  type Outcome,
  type PasswordClaim,
  type PasswordSource,
  type Pending,
  type Told,
  UNAVAILABLE,
  WRONG,
} from "../outcome.ts"
import type { HttpOptions } from "./http-options.ts"

const ANSWER_BYTES_MAX = 64 * 1024
const GROUPS_MAX = 1000

/** A service that knows who may use the proxy, by user and password or by the client's address. */
export class HttpCheck implements PasswordSource {
  private readonly options: HttpOptions
  private readonly cluster: ClusterHandle
  private readonly remembered: Remembered<Outcome>
  private asked = 0

  constructor(options: HttpOptions, deps: FilterDeps) {
    this.options = options
    this.cluster = deps.cluster(options.cluster)
    this.remembered = new Remembered(options.rememberedMax)
  }

  get text(): string {
    return `http: ${this.options.cluster} ${this.options.path} by ${this.options.by}`
  }

  /** What came of it is remembered by whoever asks. */
  check({ user, password }: PasswordClaim, told: Told): Outcome | Pending {
    const token = Buffer.from(`${user}:${password}`, "utf8").toString("base64")
    return this.ask({ key: "", user, lines: `Authorization: Basic ${token}\r\n` }, told)
  }

  /** Of a client that gave no credentials. A refusal is no wrong password. */
  checkAddress(x: Exchange, told: Told): Outcome | Pending {
    const { clientAddress } = x
    const known = this.remembered.recall(clientAddress, Date.now())
    return known ?? this.ask({ key: clientAddress, user: "", lines: `X-Client-Address: ${clientAddress}\r\n` }, told)
  }

  private ask(about: { readonly key: string; readonly user: string; readonly lines: string }, told: Told): Outcome | Pending {
    if (this.asked >= this.options.askedMax) return BUSY
    this.asked++
    const { path, host, timeout } = this.options
    const request = {
      method: "GET",
      path,
      authority: host ?? this.cluster.name,
      fields: about.lines,
      body: null,
      bodyBytesMax: ANSWER_BYTES_MAX,
      timeoutMs: timeout,
    }
    const own = this.cluster.send(request, (answer, fault) => {
      this.asked--
      told(this.outcomeOf(about.key, about.user, answer, fault))
    })
    return {
      cancel: () => {
        this.asked--
        own.cancel()
      },
    }
  }

  private outcomeOf(key: string, given: string, answer: OwnAnswer | null, fault: Fault | null): Outcome {
    const { remember, rememberWrong } = this.options
    if (answer === null || answer.status >= 500 || answer.status < 200) {
      log.warn("filter", "a log-in service did not decide; the request is refused", {
        cluster: this.cluster.name,
        reason: answer === null ? (fault?.code ?? "") : `status ${answer.status}`,
      })
      return UNAVAILABLE
    }
    const now = Date.now()
    const outcome =
      answer.status < 300 ? this.grantOf(answer, given, now + remember) : { ...(key === "" ? WRONG : NONE), untilMs: now + rememberWrong }
    if (key !== "" && outcome.untilMs > now) this.remembered.keep(key, outcome, outcome.untilMs)
    return outcome
  }

  /** Who is let in without a name is nobody. */
  private grantOf({ response }: OwnAnswer, given: string, untilMs: number): Outcome {
    const said = response.find(this.options.user.toLowerCase()) ?? ""
    const user = said === "" ? given : Buffer.from(said, "latin1").toString("utf8")
    if (!isName(user)) return WRONG
    const groups = Buffer.from(response.find(this.options.groups.toLowerCase()) ?? "", "latin1").toString("utf8")
    const names = groups.split(",", GROUPS_MAX).map(name => name.trim())
    return isIn(
      user,
      names.filter(name => name !== ""),
      untilMs,
    )
  }
}
