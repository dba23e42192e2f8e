import { spawnSync } from "node:child_process"
import { describe, expect, test } from "bun:test"
import { parseConfig } from "../../config/index.ts"
import { captureProblem } from "./capture-kernel.ts"
import { capturePlan, type CapturePlan } from "./capture-plan.ts"
import { captureRoutes, captureRules, lastCaptureRules } from "./capture-rules.ts"

const plan: CapturePlan = {
  machine: { port: 12_080, mode: "redirect" },
  network: null,
  ports: ["1-65535"],
  dnsPort: 12_053,
  udp: "reject",
  ipv6: "capture",
  spare: ["192.0.2.0/24", "2001:db8::/32"],
  user: "",
  mark: 7,
  killSwitch: true,
}
const network = { port: 12_081, mode: "tproxy" as const, from: ["10.0.0.0/8", "fd00::/8"], interfaces: ["eth1"] }

/** The lines of one chain, without its braces. */
function chain(text: string, name: string): string[] {
  const lines = text.split("\n").map(line => line.trim())
  const from = lines.indexOf(`chain ${name} {`)
  return from < 0 ? [] : lines.slice(from + 1, lines.indexOf("}", from))
}

describe("the rules of a plan", () => {
  test("replace the one table that is ours, and name their owner", () => {
    const text = captureRules(plan, "owner_1")
    expect(text.split("\n").slice(0, 4)).toEqual([
      "add table inet bothways",
      "delete table inet bothways",
      "table inet bothways {",
      "  chain owner_1 { }",
    ])
    expect(text.match(/table inet \S+/g)).toEqual(["table inet bothways", "table inet bothways", "table inet bothways"])
  })

  test("the machine's: its proxy first, then what is spared, names, itself, and all else to the listener", () => {
    expect(chain(captureRules(plan, "owner_1"), "machine_nat").slice(1)).toEqual([
      "meta mark 7 return",
      "ip daddr @spared4 return",
      "ip6 daddr @spared6 return",
      "udp dport 53 redirect to :12053",
      "tcp dport 53 redirect to :12053",
      "fib daddr type local return",
      "tcp dport 1-65535 redirect to :12080",
    ])
  })

  test("the kill switch rejects what is left, and nothing else does", () => {
    const last = (of: CapturePlan) => chain(captureRules(of, "owner_1"), "machine_filter").at(-1)
    expect(last(plan)).toBe("reject with icmpx admin-prohibited")
    expect(last({ ...plan, killSwitch: false })).toBe("meta l4proto udp reject")
    expect(last({ ...plan, killSwitch: false, udp: "pass" })).toBe("meta l4proto udp accept")
  })

  test("IPv6 that is not captured is rejected, not forgotten", () => {
    const text = captureRules({ ...plan, ipv6: "reject" }, "owner_1")
    expect(chain(text, "machine_nat")).toContain("meta nfproto ipv6 return")
    expect(chain(text, "machine_filter")).toContain("meta nfproto ipv6 reject with icmpx admin-prohibited")
  })

  test("at the end nothing new is captured, and chains stay for what is open", () => {
    const text = lastCaptureRules({ ...plan, network }, "owner_1")
    expect(chain(text, "output_nat")).toEqual(["type nat hook output priority -100; policy accept;", "ct direction reply accept"])
    expect(chain(text, "network_mangle").slice(1)).toEqual(["meta l4proto tcp socket transparent 1 meta mark set 1651965952 accept"])
    expect(text).not.toMatch(/redirect|reject|tproxy/)
  })

  test("tproxy has routes, one a family", () => {
    expect(captureRoutes(plan)).toEqual([])
    expect(captureRoutes({ ...plan, network }).map(([family, what]) => `${family} ${what}`)).toEqual(["-4 rule", "-4 route", "-6 rule", "-6 route"])
    expect(captureRoutes({ ...plan, network, ipv6: "reject" }).length).toBe(2)
  })
})

const canAsk = process.getuid?.() === 0 && spawnSync("unshare", ["-n", "nft", "list", "tables"]).status === 0

// They are looked at by the kernel; nothing is put in force.
const whenAble = canAsk ? test : null
whenAble?.("nftables takes the rules of every kind of plan", () => {
  const kinds: Partial<CapturePlan>[] = [
    {},
    { network: { ...network, mode: "redirect" }, machine: null },
    {
      network,
      user: "root",
      mark: 0,
      ports: ["80", "443", "8000-8999"],
      ipv6: "reject",
    },
    { network: { ...network, from: [], interfaces: ["eth0", "wlan0.7"] }, udp: "quic", killSwitch: false, spare: [], dnsPort: 0 },
    { udp: "pass", spare: ["10.0.0.0/8", "10.1.0.0/16"], mark: 0xffff_ffff, user: "65534" },
  ]
  for (const kind of kinds) expect([kind, captureProblem({ ...plan, ...kind })]).toEqual([kind, ""])
  expect(captureProblem({ ...plan, user: "nobody-has-this-name" })).toContain("nft refuses the rules")
  expect(captureProblem({ ...plan, user: "nobody", mark: 0 })).toEqual(
    expect.stringMatching(/^`user` is nobody \(\d+\), and the proxy runs as 0: its own connections would come back to it$/),
  )
})

test("a config's listeners become ports, tproxy before redirect for a network", async () => {
  const loaded = await parseConfig(
    `listeners:
  a: { bind: [":12080"], forward: { transparent: redirect } }
  b: { bind: [":12081"], forward: { transparent: tproxy } }
  names: { bind: ":12053", dns: { answer: stand-in, from: [10.0.0.0/8] } }
capture: { machine: true, network: { from: [10.0.0.0/8] }, mark: 7, ports: [443, 8000-8999], udp: quic }
routes: [ { to: { origin: {} } } ]
`,
    "/conf/b.yaml",
  )
  expect(loaded.ok ? capturePlan(loaded.config) : loaded.problems).toEqual({
    machine: { port: 12_080, mode: "redirect" },
    network: { port: 12_081, mode: "tproxy", from: ["10.0.0.0/8"], interfaces: [] },
    ports: ["443", "8000-8999"],
    dnsPort: 12_053,
    udp: "quic",
    ipv6: "capture",
    spare: [],
    user: "",
    mark: 7,
    killSwitch: true,
  })
})
