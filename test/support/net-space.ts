import { describe, expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { Bothways, mainFor } from "./bothways.ts"
import { type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"
import { run, type Ran } from "./run.ts"

const spaces = new Set<NetSpace>()
let count = 0

/** Whether this machine can make network namespaces: Linux, root, and the programs for it. */
export const canMakeSpaces: boolean = process.platform === "linux" && process.getuid?.() === 0 && tried()

/** A container may have the programs and not the right. */
function tried(): boolean {
  const name = `bw-try-${process.pid}`
  return (
    spawnSync("sh", ["-c", `ip netns add ${name} && ip netns exec ${name} nft list tables; said=$?; ip netns del ${name}; exit $said`]).status === 0
  )
}

/** A network of its own, with a loopback that is up. Gone with `remove`, or with the next run after this one was killed. */
export class NetSpace {
  readonly name: string

  constructor(label: string) {
    if (spaces.size === 0) removeLeftOvers()
    this.name = `bw-${process.pid}-${count++}-${label}`
    must("ip", "netns", "add", this.name)
    spaces.add(this)
    this.ip("link", "set", "lo", "up")
  }

  /** `ip` inside, which must succeed. */
  ip(...args: string[]): void {
    must("ip", "-n", this.name, ...args)
  }

  /** Runs a program inside to its end. */
  run(command: string, ...args: string[]): Promise<Ran> {
    return run("ip", "netns", "exec", this.name, command, ...args)
  }

  start(label: string, command: string, ...args: string[]): Program {
    return startProgram(label, "ip", ["netns", "exec", this.name, command, ...args])
  }

  /** What programs inside ask for names. */
  nameServer(address: string): void {
    const folder = join("/etc/netns", this.name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "resolv.conf"), `nameserver ${address}\noptions timeout:1 attempts:1\n`)
  }

  /** Names that programs inside know without asking. */
  hosts(names: Readonly<Record<string, string>>): void {
    const folder = join("/etc/netns", this.name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, "hosts"),
      Object.entries(names)
        .map(([name, address]) => `${address} ${name}\n`)
        .join(""),
    )
  }

  /** The program under test, inside. It is ready when it says that it serves. */
  async bothways(config: string | object): Promise<Bothways> {
    const model = { workers: 1, ...((typeof config === "string" ? parse(config) : config) as object) }
    const file = join(temporaryFolder("config"), "bothways.yaml")
    writeFileSync(file, JSON.stringify(model, null, 2))
    const program = this.start("bothways", process.execPath, mainFor([]), "run", file)
    await untilReady(program, () => Promise.resolve(program.lines.join("\n").includes(" serves ") || program.stderr.includes(" serves ")))
    return new Bothways(program, file, "")
  }

  /** A forgetful system keeps nothing of it. */
  remove(): void {
    spawnSync("ip", ["netns", "del", this.name])
    rmSync(join("/etc/netns", this.name), { recursive: true, force: true })
    spaces.delete(this)
  }
}

/** A cable between two networks; addresses with their prefix length, IPv6 ones are used at once. */
export function cable(a: NetSpace, aAddresses: readonly string[], b: NetSpace, bAddresses: readonly string[]): void {
  const [left, right] = [`v${count++}`, `v${count++}`]
  must("ip", "link", "add", left, "netns", a.name, "type", "veth", "peer", "name", right, "netns", b.name)
  for (const [space, link, addresses] of [
    [a, left, aAddresses],
    [b, right, bAddresses],
  ] as const) {
    for (const address of addresses) space.ip("addr", "add", address, "dev", link, ...(address.includes(":") ? ["nodad"] : []))
    space.ip("link", "set", link, "up")
  }
}

function must(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`)
}

/** Of test runs that were killed. */
function removeLeftOvers(): void {
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" })
  for (const name of stdout.match(/^bw-\d+-\S+/gm) ?? []) {
    if (existsSync(`/proc/${name.split("-")[1]}`)) continue
    spawnSync("ip", ["netns", "del", name])
    rmSync(join("/etc/netns", name), { recursive: true, force: true })
  }
}

/** Tests that need namespaces; where the system gives none (a container without rights) one line says so, since a test that is skipped counts as failed. */
export function describeSpaces(title: string, body: () => void): void {
  if (canMakeSpaces) describe(title, body)
  else test(`${title}: this system gives no network namespaces`, () => expect(canMakeSpaces).toBe(false))
}
