import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { TunnelStatus } from "../../../src/control/cli/tunnel/tunnel-text.ts"
import { mainFor } from "../../support/bothways.ts"
import { cable, canMakeSpaces, describeSpaces, NetSpace } from "../../support/net-space.ts"
import type { Program } from "../../support/processes.ts"
import { TunnelWorld } from "../../support/tunnel-ends.ts"
import { until } from "../../support/wait.ts"

// A user, the wire, and the world with exit and origin. Somebody listens on the wire: what does he see?
const EXIT = "203.0.113.7"
const SITE = "203.0.113.10"
const PATH = "/path-that-nobody-sees"
const world = canMakeSpaces ? await build() : null

interface World {
  readonly user: NetSpace
  readonly there: NetSpace
  readonly outside: Program
  readonly ends: TunnelWorld
  readonly device: string
  exit: Program
  tunnel: Program | null
  end(): Promise<void>
}

async function build(): Promise<World> {
  const ends = new TunnelWorld()
  const { certFile, keyFile } = ends.authority.issue(["site.test"])
  const [user, wire, there] = [new NetSpace("user"), new NetSpace("wire"), new NetSpace("there")]
  cable(user, ["10.78.0.2/24"], wire, ["10.78.0.1/24"])
  cable(wire, ["203.0.113.1/24"], there, [`${EXIT}/24`, `${SITE}/24`])
  await wire.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
  user.ip("route", "add", EXIT, "via", "10.78.0.1")
  user.nameServer(SITE)
  there.ip("route", "add", "10.78.0.0/24", "via", "203.0.113.1")
  there.hosts({ "site.test": SITE })
  const device = / dev (\S+)/.exec((await user.run("ip", "route", "get", EXIT)).stdout)![1]!
  const outside = there.start("outside", process.execPath, join(import.meta.dirname, "..", "capture", "outside.fixture.ts"), certFile, keyFile)
  const made = { user, there, outside, ends, device, exit: startExit(there, ends), tunnel: null as Program | null }
  await until(() => outside.lines.includes("ready") && made.exit.stderr.includes(" serves "), 8000, "exit and origin")
  const end = async (): Promise<void> => {
    await Promise.all([world!.tunnel?.stop(), world!.exit.stop(), outside.stop()])
    for (const space of [user, wire, there]) space.remove()
  }
  return Object.assign(made, { end })
}

function startExit(there: NetSpace, { pair, tokens }: TunnelWorld): Program {
  const words = [
    "--listen",
    `${EXIT}:8443`,
    "--cert",
    pair.certFile,
    "--key",
    pair.keyFile,
    "--token-file",
    tokens,
    "--allow-private",
    "--workers",
    "1",
  ]
  return there.start("exit", process.execPath, mainFor([]), "exit", ...words)
}

/** Starts a tunnel, which has asked the exit when this settles. */
async function start(...more: string[]): Promise<void> {
  const { user, ends } = world!
  const words = ["--via", `https://${EXIT}:8443`, "--server-name", "exit.test", ...ends.known("--wait", "1s"), "--listen", "127.0.0.1:1080"]
  const tunnel = user.start("tunnel", process.execPath, mainFor([]), "tunnel", ...words, "--status-bind", "127.0.0.1:9900", ...more)
  world!.tunnel = tunnel
  await until(() => tunnel.hasExited || tunnel.stderr.includes("connected to the exit"), 8000, "the tunnel")
}

afterAll(() => world?.end())

/** What crosses the wire while `act` runs. */
async function tapped(act: () => Promise<void>): Promise<{ octets: string; elsewhere: string }> {
  const { user, device, ends } = world!
  const file = join(ends.folder, `tap-${performance.now()}`)
  const tap = user.start("tcpdump", "tcpdump", "-i", device, "-U", "--immediate-mode", "-Z", "root", "-w", file)
  await until(() => tap.stderr.includes("listening on"))
  await act()
  await tap.stop("SIGINT")
  // What the system itself says to its neighbours is not a program's.
  const elsewhere = await user.run("tcpdump", "-nr", file, `not host ${EXIT} and not arp and not src net fe80::/10 and not src host ::`)
  return { octets: readFileSync(file, "latin1"), elsewhere: elsewhere.stdout }
}

const curl = (...args: string[]) => world!.user.run("curl", "-sS", "-m", "4", "--cacert", world!.ends.authority.ca.certFile, ...args)
const HTTP = ["-x", "http://127.0.0.1:1080"]
const SOCKS = ["-x", "socks5h://127.0.0.1:1080"]

describeSpaces("on the wire", () => {
  test("nothing can be read but the exit's name, and nothing goes anywhere else", async () => {
    const { octets, elsewhere } = await tapped(async () => {
      await start()
      for (const way of [HTTP, SOCKS]) {
        expect((await curl(...way, "--data", "body-that-nobody-sees", `http://site.test${PATH}`)).stdout).toBe(`http site.test from ${EXIT}\n`)
        expect((await curl(...way, `https://site.test${PATH}`)).stdout).toBe("tls site.test\n")
      }
    })
    expect(octets).toContain("exit.test")
    expect(octets.length).toBeGreaterThan(2000)
    expect(octets).not.toMatch(/site.?test|nobody|CONNECT|HTTP\/1|s3cret|PRI \*/)
    expect(elsewhere).toBe("")
  }, 15_000)

  test("the exit dies: not a packet to anybody else", async () => {
    const { user, exit } = world!
    exit.signal("SIGKILL")
    await exit.exit()
    // From here on there would be a way out.
    user.ip("route", "add", "default", "via", "10.78.0.1")
    const { elsewhere } = await tapped(async () => {
      const said = await Promise.all([HTTP, SOCKS].flatMap(way => ["http", "https"].map(scheme => curl(...way, `${scheme}://site.test${PATH}`))))
      expect(said.map(({ stdout }) => /from|tls /.test(stdout))).toEqual([false, false, false, false])
    })
    expect(elsewhere).toBe("")
    expect(world!.outside.lines.filter(line => line.startsWith("leak"))).toEqual([])
  }, 15_000)

  test("--everything: programs that know of no proxy come through it too, and with --kill-switch nothing else goes out when it is killed", async () => {
    const { user, there, ends } = world!
    await world!.tunnel!.stop()
    world!.exit = startExit(there, ends)
    await start("--everything", "--kill-switch")
    const open = await tapped(async () => {
      expect((await curl(`http://site.test${PATH}`)).stdout).toBe(`http site.test from ${EXIT}\n`)
      expect((await curl(`https://site.test${PATH}`)).stdout).toBe("tls site.test\n")
      expect((await curl(...HTTP, `https://site.test${PATH}`)).stdout).toBe("tls site.test\n")
      await user.run("bash", "-c", `echo x > /dev/udp/${SITE}/5353`)
    })
    expect(open.octets).not.toMatch(/site.?test|nobody/)
    expect(open.elsewhere).toBe("")
    const status = await user.run(process.execPath, mainFor([]), "tunnel", "status", "--json")
    expect((JSON.parse(status.stdout) as TunnelStatus).leaks.map(({ what, state }) => `${what} ${state}`)).toEqual(
      ["names", "IPv6", "environment", "UDP", "programs"].map(what => `${what} closed`),
    )
    world!.tunnel!.signal("SIGKILL")
    await world!.tunnel!.exit()
    const dead = await tapped(async () => {
      expect((await curl(`http://${SITE}/`)).code).not.toBe(0)
      expect((await curl("http://site.test/")).code).not.toBe(0)
    })
    expect(dead.elsewhere).toBe("")
    expect(world!.outside.lines.filter(line => line.startsWith("leak"))).toEqual([])
    await user.run(process.execPath, mainFor([]), "capture", "remove")
    // Only to show that a packet beside the tunnel would have been seen.
    const direct = await tapped(async () => {
      expect((await curl(`http://${SITE}/`)).stdout).toBe(`http ${SITE} from 10.78.0.2\n`)
    })
    expect(direct.elsewhere).toContain(SITE)
  }, 30_000)
})
