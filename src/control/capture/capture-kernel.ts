import { spawnSync } from "node:child_process"
import type { CapturePlan } from "./capture-plan.ts"
import { captureRoutes, captureRules, lastCaptureRules, TABLE, TPROXY_MARK, TPROXY_TABLE } from "./capture-rules.ts"

/** Rules could not be put in force or taken back. `message` is for the operator. */
export class CaptureError extends Error {
  override name = "CaptureError"
}

const OWNER = /chain (owner_[a-z0-9_]+) /

/** The name of the chain that says whose the rules are. */
export function ownerOf(id: string): string {
  return `owner_${id.toLowerCase().replaceAll(/[^a-z0-9]/g, "_")}`
}

/** What is against the plan, "" = nothing: the rules are given to the kernel to look at, and nothing is changed. */
export function captureProblem(plan: CapturePlan): string {
  const own = ownProblem(plan)
  if (own !== "") return own
  try {
    nft(["-c", "-f", "-"], captureRules(plan, ownerOf("check")))
    return ""
  } catch (error) {
    return (error as Error).message
  }
}

/** This process would not be told from others. */
function ownProblem({ machine, user, mark }: CapturePlan): string {
  if (machine === null || user === "" || mark !== 0) return ""
  const uid = String(process.getuid?.() ?? "")
  const asked = spawnSync("id", ["-u", user], { encoding: "utf8", timeout: 10_000 }).stdout.trim()
  return user === uid || asked === uid || asked === ""
    ? ""
    : `\`user\` is ${user} (${asked}), and the proxy runs as ${uid}: its own connections would come back to it`
}

/** Puts the rules in force in place of any of ours that are there. Throws CaptureError. */
export function applyCapture(plan: CapturePlan, id: string): void {
  for (const args of captureRoutes(plan)) route(args)
  nft(["-f", "-"], captureRules(plan, ownerOf(id)))
}

/** Captures nothing new from now on, while connections that were captured go on. Only rules of `id` are touched. Throws CaptureError. */
export function endCapture(plan: CapturePlan, id: string): void {
  if (captureOwner() === ownerOf(id)) nft(["-f", "-"], lastCaptureRules(plan, ownerOf(id)))
}

/** Whose the rules in force are; "" = there are none. Throws CaptureError when nobody may know. */
export function captureOwner(): string {
  const listed = spawnSync("nft", ["list", "table", "inet", TABLE], { encoding: "utf8", timeout: 10_000 })
  if (listed.status === 0) return OWNER.exec(listed.stdout)?.[1] ?? "owner_unknown"
  if (listed.error === undefined && /No such file or directory/i.test(listed.stderr)) return ""
  throw new CaptureError(listed.error === undefined ? reasonOf(listed.stderr) : missing("nft", listed.error))
}

/** Takes the rules back; those of `id` only, when it is given. Answers whether there were any. Throws CaptureError. */
export function removeCapture(id: string | null = null): boolean {
  const owner = captureOwner()
  if (owner === "" || (id !== null && owner !== ownerOf(id))) return false
  nft(["delete", "table", "inet", TABLE], "")
  for (const family of ["-4", "-6"]) {
    while (spawnSync("ip", [family, "rule", "del", "fwmark", String(TPROXY_MARK), "lookup", String(TPROXY_TABLE)], { timeout: 10_000 }).status === 0);
    spawnSync("ip", [family, "route", "flush", "table", String(TPROXY_TABLE)], { timeout: 10_000 })
  }
  return true
}

function nft(args: string[], input: string): string {
  const ran = spawnSync("nft", args, { input, encoding: "utf8", timeout: 10_000 })
  if (ran.status === 0) return ran.stdout
  throw new CaptureError(ran.error === undefined ? reasonOf(ran.stderr) : missing("nft", ran.error))
}

/** The rule is there already, from before. */
function route(args: string[]): void {
  if (args[1] === "rule") {
    const without = args.map(word => (word === "add" ? "del" : word))
    while (spawnSync("ip", without, { timeout: 10_000 }).status === 0);
  }
  const ran = spawnSync("ip", args, { encoding: "utf8", timeout: 10_000 })
  if (ran.status === 0) return
  throw new CaptureError(ran.error === undefined ? `ip ${args.join(" ")}: ${ran.stderr.trim()}` : missing("ip", ran.error))
}

function missing(program: string, error: Error & { code?: string }): string {
  return error.code === "ENOENT" ? `there is no program \`${program}\` (package nftables or iproute2)` : error.message
}

/** The first line says what is wrong, those behind it show where. */
function reasonOf(said: string): string {
  if (/Operation not permitted/i.test(said)) return "the rules need root or CAP_NET_ADMIN"
  const first = said.trim().split("\n")[0] ?? ""
  return `nft refuses the rules: ${first.replace(/^\S*stdin:/, "line ")}`
}
