import { z } from "zod"
import { field, siteOf } from "../../base/index.ts"
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"

/** What most browsers of its kind say, so that it tells nobody apart. */
const GENERIC_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
const GENERIC_LANGUAGE = "en-US,en;q=0.5"
const valueSchema = z.string().regex(/^[\x20-\x7e]{1,400}$/, "expected printable ASCII")

const options = z
  .strictObject({
    cookies: field(z.enum(["keep", "no-third-party", "drop"]), "no-third-party", "no-third-party = none for what one site fetches from another."),
    referer: field(
      z.enum(["keep", "host", "same-site", "drop"]),
      "same-site",
      "Where the client came from: its host alone, or only within one site.",
    ),
    userAgent: field(
      z.union([z.enum(["keep", "generic", "drop"]), valueSchema]),
      "generic",
      "What the client says that it is, with its client hints: as it is, as most browsers say, none, or a text of yours.",
    ),
    language: field(
      z.union([z.enum(["keep", "generic"]), valueSchema]),
      "generic",
      "Accept-Language: as it is, that of most browsers, or a text of yours.",
    ),
  })
  .prefault({})

type Options = z.output<typeof options>

function hostOf(url: string): string {
  return (
    /^https?:\/\/(?:[^/?#@]*@)?(\[[^\]]+\]|[^/?#:]+)/i
      .exec(url)?.[1]
      ?.toLowerCase()
      .replace(/^\[|\]$/g, "") ?? ""
  )
}

/** One site fetches this from another: the browser says so, or where it comes from does. */
function isThirdParty(x: Exchange): boolean {
  if (x.request.find("sec-fetch-site") === "cross-site") return true
  const from = hostOf(x.request.get(NAME.origin)) || hostOf(x.request.get(NAME.referer))
  return from !== "" && siteOf(from) !== siteOf(x.host)
}

function anonymize(options: Options, x: Exchange, dropsCookies: boolean): Verdict {
  const fields = x.request
  const referer = fields.get(NAME.referer)
  if (dropsCookies) fields.remove(NAME.cookie)
  if (referer !== "") setReferer(x, options.referer, referer)
  setAgent(x, options.userAgent)
  if (options.language !== "keep" && fields.find("accept-language") !== undefined) {
    fields.removeName("accept-language")
    fields.append("Accept-Language", options.language === "generic" ? GENERIC_LANGUAGE : options.language)
  }
  return NEXT
}

function setReferer(x: Exchange, how: Options["referer"], referer: string): void {
  if (how === "keep" || (how === "same-site" && siteOf(hostOf(referer)) === siteOf(x.host))) return
  const host = how === "host" ? /^https?:\/\/[^/?#@]+(?=[/?#]|$)/i.exec(referer)?.[0] : undefined
  if (host === undefined) x.request.remove(NAME.referer)
  else x.request.set(NAME.referer, "Referer", `${host}/`)
}

function setAgent(x: Exchange, how: Options["userAgent"]): void {
  if (how === "keep") return
  const fields = x.request
  for (let i = fields.count - 1; i >= 0; i--) {
    if (fields.ids[i] === NAME.other && fields.nameAt(i).toLowerCase().startsWith("sec-ch-")) fields.removeAt(i)
  }
  if (how === "drop") fields.remove(NAME.userAgent)
  else fields.set(NAME.userAgent, "User-Agent", how === "generic" ? GENERIC_AGENT : how)
}

export default defineFilter({
  name: "anonymize",
  summary: "Makes clients alike towards origins: cookies, referrers, user agents, languages.",
  options,
  build(settings, deps) {
    const slot = deps.slot()
    return {
      request(x) {
        const drops = settings.cookies === "drop" || (settings.cookies === "no-third-party" && isThirdParty(x))
        x.slots[slot] = drops
        return anonymize(settings, x, drops)
      },
      upstreamResponse(x) {
        if (x.slots[slot] === true) x.response.remove(NAME.setCookie)
        return NEXT
      },
      describe: () => `cookies ${settings.cookies}, referer ${settings.referer}, user agent ${settings.userAgent}, language ${settings.language}`,
    }
  },
})
