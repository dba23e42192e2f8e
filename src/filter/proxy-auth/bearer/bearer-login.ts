import type { FilterDeps } from "../../../plugin/index.ts"
import { type KeyFile, parseKeyFile } from "../../api-key/key-file.ts"
import { isIn, type Outcome, type Pending, type Told, WRONG } from "../outcome.ts"
import type { BearerOptions } from "./bearer-options.ts"
import { WebTokens } from "./web-tokens.ts"

/** How long the owner of a token of the file is taken for that without a look; a changed file ends it at once. */
const OWNER_MS = 60_000

/** The scheme Bearer (RFC 6750) for proxies: tokens of a file, and tokens that an issuer has signed. */
export class BearerLogin {
  private readonly options: BearerOptions
  private readonly web: WebTokens | null
  private owners: KeyFile | null = null

  /** `changed` is called when what was good must be checked again. */
  constructor(options: BearerOptions, deps: FilterDeps, changed: () => void) {
    this.options = options
    this.web = options.jwt === undefined ? null : new WebTokens(options.jwt, options.rememberedMax, deps, changed)
    if (options.tokens === undefined) return
    const path = deps.path(options.tokens)
    const content = deps.watchFile(path, text => {
      this.owners = parseKeyFile(text, path)
      changed()
    })
    this.owners = parseKeyFile(content, path)
  }

  get text(): string {
    const parts = [this.owners === null ? "" : `${this.owners.size} tokens of ${this.options.tokens}`, this.web?.text ?? ""]
    return `bearer: ${parts.filter(part => part !== "").join(", ")}`
  }

  follow(nowMs: number): void {
    this.web?.follow(nowMs)
  }

  /** `value`: the field, whose first word is Bearer. */
  check(value: string, told: Told): Outcome | Pending {
    const token = value.slice("bearer ".length).trim()
    if (token === "" || token.length > this.options.tokenBytesMax || !/^[\x21-\x7e]+$/.test(token)) return WRONG
    const owner = this.owners?.nameOf(token) ?? null
    if (owner !== null) return isIn(owner, [], Date.now() + OWNER_MS)
    return this.web === null || !token.includes(".") ? WRONG : this.web.check(token, told)
  }
}
