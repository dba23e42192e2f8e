import { expect, test } from "bun:test"
import { Exchange, notesOf } from "../../../flow/index.ts"
import { FAULT } from "../../../base/index.ts"
import { forwardInspectSchema } from "../../schema/forward-inspect.ts"
import { ASKS, Inspector } from "./inspector.ts"
import { compileNeverOpen } from "./never-open.ts"
import { PinnedSites, pinnedMemory } from "./pinned-sites.ts"

interface Said {
  readonly tlsName?: string
  readonly alpn?: readonly string[]
  readonly user?: string
}

function inspectorOf(
  options: Record<string, unknown>,
  rules: { user: string; certificate?: "trusted" | "untrusted"; do: "tunnel" | "inspect" | "refuse" }[] = [],
): Inspector {
  const config = forwardInspectSchema.parse(options)!
  return new Inspector({
    listener: "egress",
    config,
    rules: rules.map((rule, i) => ({
      holds: x => x.user === rule.user,
      certificate: rule.certificate ?? null,
      decision: { do: rule.do, reason: `rule-${i + 1}` },
    })),
    neverOpen: compileNeverOpen(config.neverOpen, undefined),
    pinned: config.pinned === null ? null : new PinnedSites(new SharedArrayBuffer(pinnedMemory("egress", config.pinned).bytes), config.pinned),
    leaves: null,
    open: null,
    probe: null,
    counted() {},
  })
}

function exchange(host: string, { tlsName = host, alpn = ["h2"], user = "" }: Said = {}): Exchange {
  const x = Object.assign(new Exchange(), { host, port: 443, method: "CONNECT", user, clientAddress: "192.0.2.1" })
  Object.assign(notesOf(x), { tlsName, alpn })
  return x
}

function decided(inspector: Inspector, host: string, said?: Said): string {
  const x = exchange(host, said)
  const { do: word, reason } = inspector.decide(x, x.notes!)
  return `${word} ${reason}`
}

test("the first rule that holds; then the default", () => {
  const rules = [
    { user: "ann", do: "tunnel" as const },
    { user: "ann", do: "refuse" as const },
    { user: "bob", do: "refuse" as const },
  ]
  const inspector = inspectorOf({}, rules)
  expect(["ann", "bob", ""].map(user => decided(inspector, "a.test", { user }))).toEqual(["tunnel rule-1", "refuse rule-3", "inspect default"])
  expect(decided(inspectorOf({ default: "tunnel" }), "a.test")).toBe("tunnel default")
})

test("sites that are never opened beat a rule that opens, and not one that refuses", () => {
  const inspector = inspectorOf({}, [
    { user: "bob", do: "refuse" },
    { user: "ann", do: "inspect" },
  ])
  expect([decided(inspector, "my.bank", { user: "ann" }), decided(inspector, "my.bank", { user: "bob" })]).toEqual([
    "tunnel never-open",
    "refuse rule-1",
  ])
})

test("the name in TLS does not make a site another one; of an address it is what counts", () => {
  const inspector = inspectorOf({})
  expect(decided(inspector, "evil.test", { tlsName: "my.bank" })).toBe("inspect default")
  expect(decided(inspector, "192.0.2.9", { tlsName: "my.bank" })).toBe("tunnel never-open")
})

test("what is no HTTP; clients without ALPN may speak it", () => {
  const inspector = inspectorOf({ unknownProtocols: "refuse" })
  expect([decided(inspector, "a.test", { alpn: ["imap"] }), decided(inspector, "a.test", { alpn: [] })]).toEqual([
    "refuse no-http",
    "inspect default",
  ])
  expect(decided(inspector, "a.test", { alpn: ["imap", "http/1.1"] })).toBe("inspect default")
})

test("sites that want the client's certificate are between the two of them, unless the config says no", () => {
  const inspector = inspectorOf({})
  inspector.noteEnd(Object.assign(exchange("a.test"), { fault: FAULT.certificateWanted }))
  inspector.noteEnd(Object.assign(exchange("b.test"), { fault: FAULT.certificateExpired }))
  expect([decided(inspector, "a.test"), decided(inspector, "b.test")]).toEqual(["tunnel client-certificate", "inspect default"])
  const strict = inspectorOf({ upstream: { wantsClient: "refuse" } })
  strict.noteEnd(Object.assign(exchange("a.test"), { fault: FAULT.certificateWanted }))
  expect(decided(strict, "a.test")).toBe("inspect default")
})

test("a rule about the site's certificate is reached before it is asked, and only then", () => {
  const inspector = inspectorOf({}, [
    { user: "ann", do: "tunnel" },
    { user: "bob", certificate: "untrusted", do: "refuse" },
  ])
  expect([decided(inspector, "a.test", { user: "ann" }), decided(inspector, "a.test")]).toEqual(["tunnel rule-1", "inspect default"])
  const x = exchange("a.test", { user: "bob" })
  expect(inspector.decide(x, x.notes!)).toBe(ASKS)
  const asked = (["untrusted", "trusted", "unknown"] as const).map(certificate => inspector.decide(x, x.notes!, certificate).do)
  expect(asked).toEqual(["refuse", "inspect", "inspect"])
})
