import type { CapturePlan } from "./capture-plan.ts"

/** The one table that is ours. */
export const TABLE = "bothways"
/** Marks packets of tproxy on their way in, so that the route below delivers them here. */
export const TPROXY_MARK = 0x62770000
/** Number of the routing table that delivers them. */
export const TPROXY_TABLE = 25207

/** Marks connections of the proxy itself: what the system sends for a socket that is closed already has no user any more. */
const OWN_CONNECTION = 0x62770001

/** What is done to packets of tproxy. */
const BROUGHT = `meta mark set ${TPROXY_MARK} accept`

/** Does nothing in such a chain but ask. */
const KEEPS_TRACK = "ct direction reply accept"

type Lines = readonly string[]

/**
 * The rules of a plan, for `nft -f -`: one table, replaced as a whole, so that there is no moment without it. `owner` names the process that they belong to: an
 * empty chain of that name tells whose they are.
 */
export function captureRules(plan: CapturePlan, owner: string): string {
  const body = [
    `chain ${owner} { }`,
    ...addressSet("spared4", "ipv4_addr", plan.spare.filter(isFour)),
    ...addressSet("spared6", "ipv6_addr", plan.spare.filter(isSix)),
    ...(plan.machine === null ? [] : machineChains(plan, plan.machine.port)),
    ...(plan.network === null ? [] : networkChains(plan, plan.network)),
  ]
  return tableOf(body)
}

/**
 * The same while the proxy finishes what it has: nothing new is captured or rejected, and connections that were captured go on. A chain and a rule stay for them: where
 * none asks for connection tracking, the system forgets whom their addresses stand for.
 */
export function lastCaptureRules({ machine, network }: CapturePlan, owner: string): string {
  const nat = (hook: string): string[] => chain(`${hook}_nat`, `type nat hook ${hook} priority -100; policy accept;`, [KEEPS_TRACK])
  const mangle = "type filter hook prerouting priority mangle; policy accept;"
  const body = [
    `chain ${owner} { }`,
    ...(machine === null ? [] : nat("output")),
    ...(network === null ? [] : nat("prerouting")),
    ...(network?.mode === "tproxy" ? chain("network_mangle", mangle, [`meta l4proto tcp socket transparent 1 ${BROUGHT}`]) : []),
  ]
  return tableOf(body)
}

function tableOf(body: Lines): string {
  const table = `table inet ${TABLE}`
  return [`add ${table}`, `delete ${table}`, `${table} {`, ...body.map(line => `  ${line}`), "}", ""].join("\n")
}

function addressSet(name: string, type: string, elements: Lines): string[] {
  const list = elements.length === 0 ? [] : [`    elements = { ${elements.join(", ")} }`]
  return [`set ${name} {`, `    type ${type}`, "    flags interval", "    auto-merge", ...list, "}"]
}

/** What tells packets of the proxy itself. */
function ownSockets({ mark, user }: CapturePlan): string[] {
  return [...(mark === 0 ? [] : [`meta mark ${mark}`]), ...(user === "" ? [] : [`meta skuid ${user}`])]
}

function machineChains(plan: CapturePlan, port: number): string[] {
  return [
    ...chain("machine_nat", "type nat hook output priority -100; policy accept;", [
      ...ownSockets(plan).map(own => `${own} return`),
      ...spared("return"),
      // Before the next line: the resolver that programs ask is this machine, as a rule.
      ...dnsRedirects(plan),
      "fib daddr type local return",
      ...skipSix(plan, "return"),
      ...redirects(plan, port),
    ]),
    ...chain("machine_filter", "type filter hook output priority filter; policy accept;", [
      `ct mark ${OWN_CONNECTION} accept`,
      ...ownSockets(plan).map(own => `${own} ct mark set ${OWN_CONNECTION} accept`),
      "fib daddr type local accept",
      ...leaving(plan),
    ]),
  ]
}

function networkChains(plan: CapturePlan, network: NonNullable<CapturePlan["network"]>): string[] {
  const { mode, port } = network
  const jumps = (chainName: string) => fromNetwork(network).map(from => `${from}jump ${chainName}`)
  const redirected = mode === "redirect" ? [...skipSix(plan, "return"), ...redirects(plan, port)] : []
  return [
    ...chain("network_nat", "type nat hook prerouting priority dstnat; policy accept;", jumps("network_in")),
    ...chain("network_in", "", [...spared("return"), ...dnsRedirects(plan), "fib daddr type local return", ...redirected]),
    ...(mode === "redirect" ? [] : tproxyChains(plan, port, jumps)),
    ...chain("network_filter", "type filter hook forward priority filter; policy accept;", jumps("network_out")),
    ...chain("network_out", "", leaving(plan)),
  ]
}

function tproxyChains(plan: CapturePlan, port: number, jumps: (to: string) => string[]): string[] {
  const dns = plan.dnsPort === 0 ? [] : ["meta l4proto { tcp, udp } th dport 53 return"]
  return [
    ...chain("network_mangle", "type filter hook prerouting priority mangle; policy accept;", jumps("network_brought")),
    ...chain("network_brought", "", [
      // Packets of connections that are here already.
      `meta l4proto tcp socket transparent 1 ${BROUGHT}`,
      ...dns,
      "fib daddr type local return",
      ...spared("return"),
      `meta nfproto ipv4 tcp dport ${portSet(plan)} tproxy ip to :${port} ${BROUGHT}`,
      ...(plan.ipv6 === "capture" ? [`meta nfproto ipv6 tcp dport ${portSet(plan)} tproxy ip6 to :${port} ${BROUGHT}`] : []),
    ]),
  ]
}

/** One condition for each family and for interfaces; they are alternatives. */
function fromNetwork({ from, interfaces }: NonNullable<CapturePlan["network"]>): string[] {
  const four = from.filter(isFour)
  const six = from.filter(isSix)
  return [
    ...(interfaces.length === 0 ? [] : [`iifname { ${interfaces.map(name => `"${name}"`).join(", ")} } `]),
    ...(four.length === 0 ? [] : [`ip saddr { ${four.join(", ")} } `]),
    ...(six.length === 0 ? [] : [`ip6 saddr { ${six.join(", ")} } `]),
  ]
}

function spared(verdict: string): string[] {
  return [`ip daddr @spared4 ${verdict}`, `ip6 daddr @spared6 ${verdict}`]
}

function dnsRedirects({ dnsPort }: CapturePlan): string[] {
  return dnsPort === 0 ? [] : [`udp dport 53 redirect to :${dnsPort}`, `tcp dport 53 redirect to :${dnsPort}`]
}

function skipSix({ ipv6 }: CapturePlan, verdict: string): string[] {
  return ipv6 === "capture" ? [] : [`meta nfproto ipv6 ${verdict}`]
}

function redirects(plan: CapturePlan, port: number): string[] {
  return [`tcp dport ${portSet(plan)} redirect to :${port}`]
}

function portSet({ ports }: CapturePlan): string {
  return ports.length === 1 ? ports[0]! : `{ ${ports.join(", ")} }`
}

/** What is on its way out and was not captured. */
function leaving({ udp, ipv6, killSwitch, dnsPort }: CapturePlan): string[] {
  return [
    // Answers to who came in: a server on this machine, a session that one is logged in by.
    "ct direction reply accept",
    ...spared("accept"),
    // Without these the machine loses its address and its neighbours.
    "udp sport . udp dport { 68 . 67, 546 . 547 } accept",
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept",
    ...(ipv6 === "reject" ? ["meta nfproto ipv6 reject with icmpx admin-prohibited"] : []),
    ...(dnsPort === 0 ? [] : ["meta l4proto { tcp, udp } th dport 53 reject"]),
    ...(udp === "pass"
      ? ["meta l4proto udp accept"]
      : udp === "quic"
        ? ["udp dport 443 reject", "meta l4proto udp accept"]
        : ["meta l4proto udp reject"]),
    ...(killSwitch ? ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"] : []),
  ]
}

function chain(name: string, head: string, lines: Lines): string[] {
  return [`chain ${name} {`, ...(head === "" ? [] : [`  ${head}`]), ...lines.map(line => `  ${line}`), "}"]
}

function isSix(network: string): boolean {
  return network.includes(":")
}

function isFour(network: string): boolean {
  return !isSix(network)
}

/** What tproxy needs of the routing, as arguments of `ip`: marked packets are delivered here, whoever they are for. */
export function captureRoutes({ network, ipv6 }: CapturePlan): string[][] {
  if (network?.mode !== "tproxy") return []
  return (ipv6 === "capture" ? ["-4", "-6"] : ["-4"]).flatMap(family => [
    [family, "rule", "add", "fwmark", String(TPROXY_MARK), "lookup", String(TPROXY_TABLE)],
    [family, "route", "replace", "local", "default", "dev", "lo", "table", String(TPROXY_TABLE)],
  ])
}
