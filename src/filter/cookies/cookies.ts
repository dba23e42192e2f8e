import { z } from "zod"
import { field, maybe, TemplateError } from "../../base/index.ts"
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { compileValue, type ValueReader } from "../variables.ts"
import { type CookieEdit, editSetCookies } from "./edit-set-cookie.ts"

const nameSchema = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected the name of a cookie (letters, digits, - and _)")

const valueSchema = z.string().superRefine((value, context) => {
  try {
    compileValue(value)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
})

const mapSchema = z.record(z.string(), z.string().regex(/^[\x21-\x3a\x3c-\x7e]*$/, "expected a value without spaces and semicolons"))

const options = z.strictObject({
  request: field(
    z.strictObject({
      set: field(z.record(nameSchema, valueSchema), {}, "Cookies towards the peer; values may hold variables, and an empty one sends none."),
      remove: field(z.array(nameSchema), [], "Cookies that do not go on."),
    }),
    {},
    "The Cookie field of the request.",
  ),
  response: field(
    z.strictObject({
      names: maybe(z.array(nameSchema).min(1), "Cookies that are meant. Default: all that the answer sets."),
      secure: maybe(
        z.union([z.boolean(), z.literal("auto")]),
        "Secure: true adds it, false takes it off, auto adds it where the client came over TLS.",
      ),
      httpOnly: maybe(z.boolean(), "HttpOnly: true adds it, false takes it off."),
      sameSite: maybe(z.enum(["Strict", "Lax", "None"]), "SameSite; None needs Secure, which browsers insist on."),
      path: field(mapSchema, {}, "Paths that are replaced where they begin with a key: { /inner: /outer }."),
      domain: field(mapSchema, {}, 'Domains that are replaced: { inner.example: outer.example }; "" takes the attribute off.'),
      remove: field(z.array(nameSchema), [], "Cookies that the client does not get."),
    }),
    {},
    "Set-Cookie fields of the answer.",
  ),
})

type Options = z.output<typeof options>

export default defineFilter({
  name: "cookies",
  summary: "Sets and removes cookies of requests, and changes the attributes of those that answers set.",
  options,
  build({ request, response }) {
    const sets = Object.entries(request.set).map(([name, value]) => ({ name, value: compileValue(value) }))
    const edit: CookieEdit = { ...response, names: response.names === null ? null : new Set(response.names), remove: new Set(response.remove) }
    return {
      ...(sets.length + request.remove.length > 0
        ? {
            request(x: Exchange): Verdict {
              editCookies(x, request.remove, sets)
              return NEXT
            },
          }
        : {}),
      ...(changesAnswers(response)
        ? {
            response(x: Exchange): Verdict {
              editSetCookies(x, edit)
              return NEXT
            },
          }
        : {}),
      describe: () => describe({ request, response }),
    }
  },
})

function changesAnswers({ secure, httpOnly, sameSite, path, domain, remove }: Options["response"]): boolean {
  return secure !== null || httpOnly !== null || sameSite !== null || remove.length + Object.keys(path).length + Object.keys(domain).length > 0
}

interface CookieSet {
  readonly name: string
  readonly value: readonly ValueReader[]
}

/** One Cookie field with what stays of those that came, and what is set behind (RFC 6265 section 5.4). */
function editCookies(x: Exchange, removals: readonly string[], sets: readonly CookieSet[]): void {
  const { request } = x
  const kept: string[] = []
  const came = request.has(NAME.cookie) ? request.joined(NAME.cookie).replaceAll(", ", "; ") : fieldText(request, "cookie")
  for (const pair of came.split(";")) {
    const text = pair.trim()
    const name = text.split("=", 1)[0]!
    if (text !== "" && !removals.includes(name) && !sets.some(set => set.name === name)) kept.push(text)
  }
  for (const { name, value } of sets) {
    const text = value.map(read => read(x)).join("")
    // What would end the cookie, or begin another one, is no value of one.
    if (text !== "") kept.push(`${name}=${text.replace(/[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]/g, octet => encodeURIComponent(octet))}`)
  }
  request.remove(NAME.cookie)
  if (kept.length > 0) request.append("Cookie", kept.join("; "))
}

function describe({ request, response }: Options): string {
  const said = [
    ...Object.keys(request.set).map(name => `request: set ${name}`),
    ...request.remove.map(name => `request: remove ${name}`),
    ...response.remove.map(name => `response: remove ${name}`),
    response.secure === null ? "" : `Secure ${response.secure}`,
    response.httpOnly === null ? "" : `HttpOnly ${response.httpOnly}`,
    response.sameSite === null ? "" : `SameSite ${response.sameSite}`,
    ...Object.entries(response.path).map(([from, to]) => `path ${from} to ${to}`),
    ...Object.entries(response.domain).map(([from, to]) => `domain ${from} to ${to === "" ? "none" : to}`),
  ]
  return said.filter(part => part !== "").join(", ")
}
