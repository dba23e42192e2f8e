import { z } from "zod"
import { duration, FAULT, field } from "../../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, NEXT, setLocalResponse, type Verdict } from "../../flow/index.ts"
import { type Fields, NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { dropField } from "../headers/edit-fields.ts"
import { OriginRule, problemOfOrigin } from "./origin-rule.ts"

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

const originSchema = z.string().superRefine((origin, context) => {
  const problem = problemOfOrigin(origin)
  if (problem !== "") context.addIssue({ code: "custom", message: problem })
})

const namesSchema = (noun: string) => z.array(z.string().regex(token, `expected ${noun}`))

const options = z
  .strictObject({
    origins: z
      .array(originSchema)
      .min(1)
      .describe(
        'Origins whose scripts may read answers: "https://app.example", "https://*.example.com" (names below it), "http://localhost:*", or "*" for all.',
      ),
    methods: namesSchema("a method such as PUT").default(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]).describe("Methods that scripts may use."),
    headers: namesSchema("the name of a field, or *")
      .default(["Accept", "Accept-Language", "Authorization", "Content-Language", "Content-Type", "X-Requested-With"])
      .describe('Request fields that scripts may set; ["*"]: whatever they ask for.'),
    expose: namesSchema("the name of a field").default([]).describe("Response fields that scripts may read beside the harmless ones."),
    credentials: z.boolean().default(false).describe("Cookies and log-ins of the browser go along, and answers to such requests may be read."),
    maxAge: field(duration({ max: 86_400_000 }), "10m", "How long browsers keep the answer to a preflight."),
    privateNetwork: z.boolean().default(false).describe("Public pages may reach this private address (Access-Control-Allow-Private-Network)."),
    enforce: z
      .boolean()
      .default(false)
      .describe("Requests with an Origin that is not listed, and not the site's own, get 403. Default: browsers keep the answer from the script."),
  })
  .superRefine((settings, context) => {
    if (settings.credentials && settings.origins.includes("*"))
      context.addIssue({
        code: "custom",
        path: ["origins"],
        message: 'with credentials the origins have to be named: "*" would let every site act as the user',
      })
  })

type Settings = z.infer<typeof options>

const replaced = [
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-expose-headers",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-max-age",
  "access-control-allow-private-network",
]

/** Cross-origin requests of scripts (the Fetch standard, section 3.2). */
class Cors {
  private readonly rule: OriginRule
  private readonly settings: Settings
  private readonly preflightLines: string
  private readonly answerLines: string
  /** All origins get the same words. */
  private readonly same: boolean
  /** What stands in it says that this was a preflight, answered here. */
  private readonly slot: number

  constructor(settings: Settings, slot: number) {
    this.slot = slot
    this.settings = settings
    this.rule = new OriginRule(settings.origins)
    this.same = this.rule.any
    const credentials = settings.credentials ? "Access-Control-Allow-Credentials: true\r\n" : ""
    const expose = settings.expose.length === 0 ? "" : `Access-Control-Expose-Headers: ${settings.expose.join(", ")}\r\n`
    this.answerLines = credentials + expose
    this.preflightLines = `${credentials}Access-Control-Allow-Methods: ${settings.methods.join(", ")}\r\nAccess-Control-Max-Age: ${Math.floor(settings.maxAge / 1000)}\r\n`
  }

  /** Preflights carry no credentials and reach no peer: they are answered before anybody asks who it is. */
  preflight(x: Exchange): Verdict {
    if (x.method !== "OPTIONS") return NEXT
    const asked = x.request.find("access-control-request-method")
    if (asked === undefined || !x.request.has(NAME.origin)) return NEXT
    x.slots[this.slot] = true
    setLocalResponse(x, 204, this.allowed(x) ? this.preflightLines + this.asked(x) : "", null)
    return ANSWER
  }

  /** The fields that the script wants to set, and the private network. */
  private asked({ request }: Exchange): string {
    const { headers, privateNetwork } = this.settings
    const wanted = request.find("access-control-request-headers") ?? ""
    const any = headers.includes("*")
    // Said name by name: with credentials a browser takes the star for a name, and it never covers Authorization.
    const names = any ? (/^[\x21-\x7e]+(?:[ \t]*,[ \t]*[\x21-\x7e]+)*$/.test(wanted) && wanted.length <= 4096 ? wanted : "") : headers.join(", ")
    const lines = names === "" ? "" : `Access-Control-Allow-Headers: ${names}\r\n`
    return privateNetwork && request.find("access-control-request-private-network") === "true"
      ? `${lines}Access-Control-Allow-Private-Network: true\r\n`
      : lines
  }

  enforce(x: Exchange): Verdict {
    if (!x.request.has(NAME.origin) || this.allowed(x) || isOwn(x)) return NEXT
    x.fault = FAULT.forbidden
    return FAULT_VERDICT
  }

  /** On every answer, the proxy's own included: a script has to be able to read a 401. */
  answer(x: Exchange): Verdict {
    const { response } = x
    const preflight = x.slots[this.slot] === true
    if (!preflight) for (let i = 0; i < replaced.length; i++) dropField(response, replaced[i]!)
    varyByOrigin(response)
    if (!this.allowed(x)) return NEXT
    const origin = this.same ? "*" : x.request.get(NAME.origin)
    response.extra += `Access-Control-Allow-Origin: ${origin}\r\n${preflight ? "" : this.answerLines}`
    return NEXT
  }

  /** Two origins are two answers to one question. */
  private allowed({ request }: Exchange): boolean {
    return request.has(NAME.origin) && !request.repeated(NAME.origin) && this.rule.allows(request.get(NAME.origin))
  }
}

/** Browsers send Origin to the site's own addresses, too. Between us and them the scheme may have been changed: the rest counts. */
function isOwn(x: Exchange): boolean {
  const origin = x.request.get(NAME.origin)
  const at = origin.indexOf("://")
  return !x.request.repeated(NAME.origin) && at > 0 && origin.substring(at + 3) === x.authority.toLowerCase()
}

function varyByOrigin(response: Fields): void {
  const vary = response.joined(NAME.vary).toLowerCase()
  if (!/(?:^|[,\s])(?:origin|\*)(?:$|[,\s])/.test(vary)) response.extra += "Vary: Origin\r\n"
}

export default defineFilter({
  name: "cors",
  summary: "Which other sites' scripts may use this one (cross-origin resource sharing): answers preflights, writes the fields.",
  options,
  build(settings, deps) {
    const cors = new Cors(settings, deps.slot())
    return {
      identify: x => cors.preflight(x),
      ...(settings.enforce ? { access: (x: Exchange) => cors.enforce(x) } : {}),
      response: x => cors.answer(x),
      describe: () =>
        `${settings.origins.slice(0, 5).join(" ")}${settings.origins.length > 5 ? " …" : ""}${settings.credentials ? ", credentials" : ""}`,
    }
  },
})
