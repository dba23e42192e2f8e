import { TextPattern } from "../../../base/index.ts"
import type { Exchange } from "../../../flow/index.ts"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { checkedText, listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"
import { parseUrlGlob, type UrlGlob, urlGlobMatches, urlText, urlTrouble } from "./url-pattern.ts"

/** Globs whose host has no star lie under it, so that long lists cost one look; the others are tried one after the other. */
class UrlSet {
  private readonly byHost = new Map<string, UrlGlob[]>()
  private readonly others: UrlGlob[] = []
  private readonly patterns: readonly TextPattern[]

  constructor(texts: readonly string[]) {
    for (const text of texts) if (!text.startsWith("~")) this.add(parseUrlGlob(text))
    this.patterns = texts.filter(text => text.startsWith("~")).map(text => new TextPattern(text.slice(1)))
  }

  holds(x: Exchange): boolean {
    const own = this.byHost.get(x.host)
    if (own !== undefined && anyMatches(own, x)) return true
    if (anyMatches(this.others, x)) return true
    const { patterns } = this
    if (patterns.length === 0) return false
    const text = urlText(x)
    for (let i = 0; i < patterns.length; i++) if (patterns[i]!.test(text)) return true
    return false
  }

  private add(glob: UrlGlob): void {
    if (!glob.host.isExact) {
      this.others.push(glob)
      return
    }
    const same = this.byHost.get(glob.host.text)
    if (same === undefined) this.byHost.set(glob.host.text, [glob])
    else same.push(glob)
  }
}

function anyMatches(globs: readonly UrlGlob[], x: Exchange): boolean {
  for (let i = 0; i < globs.length; i++) if (urlGlobMatches(globs[i]!, x)) return true
  return false
}

function compile(options: OneOrMore<string>): Match {
  const set = new UrlSet(listed(options))
  return x => set.holds(x)
}

const SHOWN_MAX = 3

function wanted(options: OneOrMore<string>): string {
  const texts = listed(options)
  return texts.length <= SHOWN_MAX ? texts.join(" or ") : `${texts.slice(0, SHOWN_MAX).join(", ")} or one of ${texts.length - SHOWN_MAX} more`
}

export default defineMatcher<OneOrMore<string>>({
  name: "url",
  summary:
    "The whole URL: one with stars such as `*://*.example.com/ads/*`, `~` and an RE2 pattern, or a list. Of a tunnel only the host and the port are known.",
  options: oneOrMore(checkedText(urlTrouble), 'URL with stars such as "https://*.example.com/ads/*" or "~^https://[^/]+/ads/"'),
  compile,
  describe: (options, x) => `the URL is ${urlText(x)}, not ${wanted(options)}`,
})
