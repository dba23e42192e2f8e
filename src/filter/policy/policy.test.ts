import { describe, expect, test } from "bun:test"
import { ANSWER, Exchange, FAULT_VERDICT, NEXT, notesOf } from "../../flow/index.ts"
import { BODY_CHUNKED, BODY_LENGTH, Fields } from "../../http/index.ts"
import type { Filter, MatchUse } from "../../plugin/index.ts"
import { FakeDeps } from "../filter-run.fixture.ts"
import { lengthOf, UNKNOWN_LENGTH } from "./answer-test.ts"
import policy from "./policy.ts"

/** Matches of these tests: a host, "" = any. */
const hostIs = (host: string): MatchUse => ({ rules: [{ name: "host", options: host }], when: null })

class Deps extends FakeDeps {
  match({ rules }: MatchUse) {
    const wanted = (rules?.[0]?.options as string | undefined) ?? ""
    const holds = (x: Exchange): boolean => wanted === "" || x.host === wanted
    return {
      names: wanted === "" ? [] : ["host"],
      holds,
      holdsInOne: holds,
      holdsInAll: holds,
      failure: (x: Exchange) => (holds(x) ? "" : `host is ${x.host}, not ${wanted}`),
    }
  }
}

function built(options: object, deps = new Deps({ "/etc/page.html": "<p>${rule} ${host} $x ${url}</p>" })): { filter: Filter; deps: Deps } {
  return { filter: policy.build(policy.options.parse(options), deps), deps }
}

function request(host: string, more: Partial<Exchange> = {}): Exchange {
  return Object.assign(new Exchange(), { host, port: 80, method: "GET", path: "/a", rulePath: "/a", ...more })
}

function answered(x: Exchange, type: string, length: number | null): Exchange {
  x.status = 200
  x.response = Fields.of([["Content-Type", type]])
  x.responseBody = length === null ? BODY_CHUNKED : BODY_LENGTH
  x.responseLength = length ?? 0
  // All of it has come from somewhere.
  x.pump.responseDone = true
  return x
}

const block = (name: string, host: string, more: object = {}) => ({ name, match: hostIs(host), action: "block", ...more })

test("a large file in small parts is a large file", () => {
  const part = (range: string | null): number =>
    lengthOf(
      Object.assign(new Exchange(), {
        status: 206,
        responseBody: BODY_LENGTH,
        responseLength: 10,
        response: Fields.of(range === null ? [] : [["Content-Range", range]]),
      }),
    )
  expect([part("bytes 0-9/5000000"), part("bytes 0-9/*"), part("nonsense"), part(null)]).toEqual([
    5_000_000,
    UNKNOWN_LENGTH,
    UNKNOWN_LENGTH,
    UNKNOWN_LENGTH,
  ])
})

describe("policy", () => {
  test("the first rule that holds decides, and says so in notes and counters", () => {
    const { filter, deps } = built({ rules: [block("a", "a.test"), { name: "ok", match: hostIs("b.test"), action: "allow" }, block("all", "")] })
    const refused = request("a.test")
    expect(filter.access!(refused)).toBe(ANSWER)
    expect([refused.status, refused.reason, refused.fault?.code, refused.notes?.rule, refused.notes?.action]).toEqual([
      403,
      "Blocked by policy: a",
      "proxy.blocked",
      "a",
      "block",
    ])
    const allowed = request("b.test")
    expect([filter.access!(allowed), allowed.notes?.rule, allowed.notes?.action]).toEqual([NEXT, "ok", "allow"])
    expect(filter.access!(request("c.test"))).toBe(ANSWER)
    expect(Object.fromEntries(deps.counts)).toEqual({
      policy_rule_test_0_a: 1,
      policy_rule_test_0_ok: 1,
      policy_rule_test_0_all: 1,
      policy_blocked_test_0: 2,
    })
  })

  test("the default allows without a note, or blocks as a rule does", () => {
    const free = request("x.test")
    expect([built({ rules: [block("a", "a.test")] }).filter.access!(free), free.notes]).toEqual([NEXT, null])
    const shut = request("x.test")
    expect(built({ default: "block", rules: [{ name: "ok", match: hostIs("a.test"), action: "allow" }] }).filter.access!(shut)).toBe(ANSWER)
    expect(shut.notes?.rule).toBe("default")
  })

  test("log-only refuses nothing and tells what would be", () => {
    const all = built({
      mode: "log-only",
      default: "block",
      rules: [block("a", "a.test"), { name: "r", match: hostIs("a.test"), action: { redirect: "https://b.test/" } }],
    })
    const x = request("a.test")
    expect([all.filter.access!(x), x.notes?.would, x.notes?.rule]).toEqual([NEXT, "a:block r:redirect default:block", ""])
    expect(all.deps.counts.get("policy_would_block_test_0")).toBe(3)
    const one = built({ rules: [block("trial", "a.test", { mode: "log-only" }), block("real", "a.test")] })
    const y = request("a.test")
    expect([one.filter.access!(y), y.notes?.would, y.notes?.rule]).toEqual([ANSWER, "trial:block", "real"])
  })

  test("log notes and goes on; close ends the connection; a redirection of a tunnel is a refusal", () => {
    const rules = [
      { name: "seen", match: hostIs(""), action: "log" },
      { name: "end", match: hostIs("a.test"), action: "close" },
      { name: "there", match: hostIs("b.test"), action: { redirect: "https://c.test/" } },
    ]
    const { filter } = built({ rules })
    const noted = request("x.test")
    expect([filter.access!(noted), noted.notes?.rule, noted.notes?.action]).toEqual([NEXT, "seen", "log"])
    const ended = request("a.test")
    expect([filter.access!(ended), ended.fault?.status]).toEqual([FAULT_VERDICT, 0])
    const sent = request("b.test")
    expect([filter.access!(sent), sent.status, sent.response.extra.includes("Location: https://c.test/")]).toEqual([ANSWER, 302, true])
    const tunnel = request("b.test", { method: "CONNECT" })
    expect([filter.access!(tunnel), tunnel.status, tunnel.localBody !== null]).toEqual([ANSWER, 403, true])
  })

  test("rules about the answer wait for it, in order, and not in tunnels", () => {
    const { filter } = built({
      rules: [
        { name: "doc", match: hostIs(""), response: { type: "application/pdf" }, action: "allow" },
        block("video", "", { response: { type: ["video/*"] } }),
        block("big", "", { response: { bytesMin: 1000 } }),
        block("exe", "", { response: { extension: ["exe", ".msi"] } }),
      ],
    })
    const judge = (type: string, length: number | null, more: Partial<Exchange> = {}, disposition = ""): string => {
      const x = request("a.test", more)
      expect(filter.access!(x)).toBe(NEXT)
      answered(x, type, length)
      if (disposition !== "")
        x.response = Fields.of([
          ["Content-Type", type],
          ["Content-Disposition", disposition],
        ])
      const verdict = filter.response!(x)
      expect(verdict).toBe(x.notes?.action === "block" ? ANSWER : NEXT)
      return x.notes?.rule ?? ""
    }
    expect([judge("application/pdf", 5000), judge("Video/MP4; a=b", 1), judge("text/plain", 1000), judge("text/plain", 999)]).toEqual([
      "doc",
      "video",
      "big",
      "",
    ])
    expect([judge("a/b", 1, { rulePath: "/x.y/setup.EXE" }), judge("a/b", 1, { rulePath: "/x.exe/y" })]).toEqual(["exe", ""])
    expect([judge("a/b", 1, {}, 'attachment; filename="a.msi"'), judge("a/b", 1, {}, "attachment; filename*=UTF-8''b.exe")]).toEqual(["exe", "exe"])
    const tunnel = request("a.test", { method: "CONNECT" })
    expect([filter.access!(tunnel), filter.response!(answered(tunnel, "video/mp4", 9999))]).toEqual([NEXT, NEXT])
  })

  test("where only some answers are allowed, requests are sent to see; where the request decides, nothing is sent", () => {
    const rules = [{ name: "pictures", match: hostIs("a.test"), response: { type: "image/*" }, action: "allow" }, block("b", "b.test", {})]
    const { filter } = built({ default: "block", rules })
    const picture = request("a.test")
    expect([filter.access!(picture), filter.response!(answered(picture, "image/png", 1)), picture.notes?.rule]).toEqual([NEXT, NEXT, "pictures"])
    const page = request("a.test")
    expect([filter.access!(page), filter.response!(answered(page, "text/html", 1)), page.notes?.rule]).toEqual([NEXT, ANSWER, "default"])
    expect([filter.access!(request("b.test")), filter.access!(request("c.test")), filter.access!(request("a.test", { method: "CONNECT" }))]).toEqual([
      ANSWER,
      ANSWER,
      ANSWER,
    ])
  })

  test("filters without rules about answers look at none", () => {
    expect(built({ rules: [block("a", "a.test")] }).filter.response).toBeUndefined()
  })

  test("the page: escaped, by what the client takes, without the query, with the reference that the log has", () => {
    const { filter } = built({
      page: { title: "No <b>", contact: "it@a.test", organisation: "A & B" },
      rules: [block("a", "a.test", { page: { status: 451 } })],
    })
    const bodyFor = (accept: string): { text: string; x: Exchange } => {
      const x = request("a.test", { path: '/"><script>alert(1)</script>', query: "?token=secret" })
      x.request = Fields.of([["Accept", accept]])
      notesOf(x).category = "ads"
      filter.access!(x)
      return { text: Buffer.from(x.localBody!).toString("utf8"), x }
    }
    const html = bodyFor("text/html,*/*;q=0.8")
    expect(html.x.status).toBe(451)
    for (const part of ["No &#60;b&#62;", "A &#38; B", 'href="mailto:it@a.test?subject=', html.x.notes!.reference, ">ads<"])
      expect(html.text).toContain(part)
    for (const part of ["<script", "secret", "src=", "@import", "url("]) expect(html.text).not.toContain(part)
    const json = bodyFor("application/json")
    expect(JSON.parse(json.text)).toMatchObject({ status: 451, rule: "a", category: "ads", contact: "it@a.test", reference: json.x.notes!.reference })
    expect(bodyFor("image/avif,*/*").text).toStartWith("No <b>\n")
    expect(html.x.notes!.reference).not.toBe(json.x.notes!.reference)
  })

  test("a page of one's own is read again when it changes", () => {
    const { filter, deps } = built({ page: { file: "page.html" }, rules: [block("a", "a.test")] })
    const body = (): string => {
      const x = request("a.test", { path: "/<x>" })
      x.request = Fields.of([["Accept", "text/html"]])
      filter.access!(x)
      return Buffer.from(x.localBody!).toString("utf8")
    }
    expect(body()).toBe("<p>a a.test $x http://a.test/&#60;x&#62;</p>")
    deps.change("/etc/page.html", "<p>new ${rule}</p>")
    expect(body()).toBe("<p>new a</p>")
  })

  test("explain says why earlier rules do not decide", () => {
    const { filter } = built({
      rules: [
        block("a", "a.test"),
        block("t", "", { mode: "log-only" }),
        block("v", "", { response: { type: "video/*" } }),
        block("b", "b.test"),
        block("c", ""),
      ],
    })
    expect(filter.explain!(request("b.test"))).toEqual([
      "1 a: no, host is b.test, not a.test",
      "2 t: yes (always), would block if it were enforced",
      "3 v: yes (always), waits for the answer, then block",
      "4 b: yes (host): block",
      "1 more not asked",
    ])
  })

  test("rules that are never asked are told", () => {
    const all = { name: "all", match: { rules: [], when: null }, action: "block" }
    const textOf = (options: object): string =>
      policy.problems!(policy.options.parse(options), path => path)
        .map(one => one.text)
        .join()
    expect(textOf({ rules: [block("a", "a.test"), all, block("b", "b.test")] })).toContain(
      "the rule all before holds always: this rule is never asked",
    )
    expect(textOf({ rules: [{ ...all, mode: "log-only" }, { ...all, name: "l", action: "log" }, block("b", "b.test")] })).toBe("")
    expect(textOf({ rules: [block("b", "b.test"), all] })).toBe("")
  })

  test.each([
    [{ rules: [] }, "rules"],
    [{ rules: [block("a", ""), block("a", "")] }, "already"],
    [{ rules: [{ name: "a", action: "deny" }] }, "expected block, allow, log, close"],
    [{ rules: [{ name: "a", action: { redirect: "javascript:x" } }] }, "redirect"],
    [{ rules: [block("a", "", { response: {} })] }, "expected a condition"],
    [{ rules: [block("a", "", { page: { status: 200 } })] }, "status"],
    [{ rules: [block("a", "", { page: { colour: "red" } })] }, "colour"],
  ])("refuses %j", (options, message) => {
    const result = policy.options.safeParse(options)
    expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(message)
  })
})
