import { z } from "zod"
import { FAULT, pathSchema } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { realmOption } from "../basic-login.ts"
import { fileProblems } from "../file-problems.ts"
import { LastSecrets } from "../last-secrets.ts"
import { DOUBLED, readToken, removeTokens, tokenSource, tokenSourceSchema, type TokenSource } from "../token-source.ts"
import { type KeyFile, parseKeyFile } from "./key-file.ts"

/** A longer one is nobody's key. */
const KEY_CHARS_MAX = 1024

const options = z.strictObject({
  keys: pathSchema.describe("File with `name:{SHA256}hex` or `name:key` lines, read again when it changes."),
  from: z
    .array(tokenSourceSchema)
    .min(1)
    .default(["field:x-api-key"])
    .describe('Where the key stands, the first that is there counts: "field:x-api-key", "authorization:ApiKey", "parameter:api_key", "cookie:key".'),
  keepKey: z.boolean().default(false).describe("Passes the key on to the peer instead of removing it."),
  realm: realmOption.default("api"),
})

class ApiKey {
  private keys: KeyFile
  private readonly settings: z.infer<typeof options>
  private readonly sources: readonly TokenSource[]
  private readonly challenge: string
  private readonly last = new LastSecrets<string>()
  private readonly wrong: { add(n: number): void }

  constructor(settings: z.infer<typeof options>, deps: FilterDeps) {
    this.settings = settings
    this.sources = settings.from.map(text => tokenSource(text, "ApiKey"))
    this.challenge = `WWW-Authenticate: ApiKey realm="${settings.realm}"\r\n`
    this.wrong = deps.counter("api_key_wrong", "Requests with an API key that is nobody's.")
    const path = deps.path(settings.keys)
    const content = deps.watchFile(path, changed => {
      this.keys = parseKeyFile(changed, path)
      this.last.clear()
    })
    this.keys = parseKeyFile(content, path)
  }

  access(x: Exchange): Verdict {
    const key = readToken(x, this.sources)
    if (!this.settings.keepKey) removeTokens(x, this.sources)
    if (key === "") return this.refuse(x)
    const name = this.last.recall(x, key) ?? this.look(x, key)
    if (name === null) {
      this.wrong.add(1)
      return this.refuse(x)
    }
    x.user = name
    return NEXT
  }

  private look(x: Exchange, key: string): string | null {
    const name = key === DOUBLED || key.length > KEY_CHARS_MAX ? null : this.keys.nameOf(key)
    if (name !== null) this.last.keep(x, key, name)
    return name
  }

  describe(): string {
    return `${this.keys.size} keys of ${this.settings.keys}, from ${this.settings.from.join(", ")}`
  }

  private refuse(x: Exchange): Verdict {
    x.fault = FAULT.loginRequired
    x.replyFields = this.challenge
    return FAULT_VERDICT
  }
}

export default defineFilter({
  name: "api-key",
  summary: "Programs show a key; who it belongs to is the user.",
  options,
  build(settings, deps) {
    const keys = new ApiKey(settings, deps)
    return { access: x => keys.access(x), describe: () => keys.describe() }
  },
  problems: ({ keys }, resolve) => fileProblems(["keys"], resolve(keys), parseKeyFile),
})
