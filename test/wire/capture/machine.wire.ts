import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import type { Bothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { long } from "../../support/long.ts"
import { cable, canMakeSpaces, describeSpaces, NetSpace } from "../../support/net-space.ts"
import type { Program } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"

const OUT = "203.0.113.10"
const OUT_SIX = "2001:db8:113::10"

const config = {
  listeners: {
    inside: {
      bind: ["127.0.0.1:12080", "[::1]:12080"],
      forward: {
        transparent: { mode: "redirect", silence: "50ms" },
        privateRanges: ["203.0.113.0/24", "2001:db8::/32"],
        connectPorts: [443, 2525],
      },
    },
    names: { bind: ["127.0.0.1:53"], dns: "stand-in" },
  },
  capture: { machine: true, mark: 25207 },
  clusters: { exit: { peers: [`${OUT}:3128`] } },
  routes: [
    { match: { host: "blocked.test" }, to: { respond: { status: 403, body: "blocked\n" } } },
    { match: { host: "*.direct.test" }, to: { origin: {} } },
    { match: { listener: "inside", host: ["site.test"] }, to: { origin: { via: "exit" } } },
    { to: { origin: {} } },
  ],
}

/** A machine whose own connections are captured, and the world that it calls. */
const world = canMakeSpaces ? await build() : null

async function build(): Promise<{ here: NetSpace; outside: Program; proxy: Bothways; ca: string; end: () => Promise<void> }> {
  const authority = new Authority()
  const { certFile, keyFile } = authority.issue(["site.test", "a.direct.test"])
  const here = new NetSpace("here")
  const there = new NetSpace("there")
  cable(here, ["203.0.113.1/24", "2001:db8:113::1/64"], there, [`${OUT}/24`, `${OUT_SIX}/64`])
  here.ip("route", "add", "default", "via", OUT)
  // Where a query that leaks would go.
  here.nameServer(OUT)
  const outside = there.start("outside", process.execPath, join(import.meta.dirname, "outside.fixture.ts"), certFile, keyFile)
  const proxy = here.bothways(config)
  await until(() => outside.lines.includes("ready"), 5000, "the world outside")
  const end = async (): Promise<void> => {
    await made.proxy.stop()
    await outside.stop()
    here.remove()
    there.remove()
  }
  const made = { here, outside, proxy: await proxy, ca: authority.ca.certFile, end }
  return made
}

afterAll(() => world?.end())

const curl = (...args: string[]) => world!.here.run("curl", "-sS", "-m", "4", "--cacert", world!.ca, ...args)
/** Calls a server that speaks first, and says something. */
const call = async (address: string, port: number): Promise<string> => {
  const talk = `exec 3<>/dev/tcp/${address}/${port} || exit; read -t1 -u3 line && echo "$line"; echo hi >&3; read -t1 -u3 line && echo "$line"`
  return (await world!.here.run("bash", "-c", talk)).stdout
}
const leaks = () => world!.outside.lines.filter(line => line.startsWith("leak"))
const line = (host: string, called: string) =>
  until(() => world!.proxy.log().findLast(each => each["host"] === host && each["called"] === called), 3000, `a log line of ${host} at ${called}`)

describeSpaces("a machine's own connections", () => {
  test("http and https, IPv4 and IPv6, go by the proxy, whose log has their names", async () => {
    for (const address of [OUT, `[${OUT_SIX}]`]) {
      expect((await curl("--resolve", `a.direct.test:80:${address}`, "http://a.direct.test/")).stdout).toContain("http a.direct.test")
      expect(await line("a.direct.test", `${address}:80`)).toMatchObject({ method: "GET", peer: `${address}:80`, status: 200 })
      expect((await curl("--resolve", `a.direct.test:443:${address}`, "https://a.direct.test/")).stdout).toBe("tls a.direct.test\n")
      expect(await line("a.direct.test", `${address}:443`)).toMatchObject({ method: "CONNECT", peer: `${address}:443`, port: 443 })
    }
  })

  test("a server that speaks first is heard, and the log has its address", async () => {
    expect(await call(OUT, 2525)).toBe("220 outside\r\nhi\n")
    expect(await line(OUT, `${OUT}:2525`)).toMatchObject({ method: "CONNECT", port: 2525 })
  })

  test("a Host that lies is dialled at the address that was called", async () => {
    expect((await curl("-H", "Host: nowhere.test", `http://${OUT}/`)).stdout).toContain("http nowhere.test")
    expect(await line("nowhere.test", `${OUT}:80`)).toMatchObject({ peer: `${OUT}:80` })
  })

  test("rules about names hold", async () => {
    expect((await curl("--resolve", `blocked.test:80:${OUT}`, "http://blocked.test/")).stdout).toBe("blocked\n")
    expect((await curl("--resolve", `blocked.test:443:${OUT}`, "https://blocked.test/")).code).not.toBe(0)
  })

  test("ports and ranges that are closed stay closed (O-49)", async () => {
    expect(await call(OUT, 9999)).toBe("")
    expect(await line(OUT, `${OUT}:9999`)).toMatchObject({ port: 9999, fault: "proxy.port-forbidden" })
    expect((await curl("http://10.9.9.9/")).stdout).toContain("closed to forward clients")
    expect(await line("10.9.9.9", "10.9.9.9:80")).toMatchObject({ fault: "proxy.address-forbidden" })
  })

  test("who calls the listener itself is a loop", async () => {
    expect((await curl("http://127.0.0.1:12080/")).code).not.toBe(0)
    expect(await until(() => world!.proxy.log().find(line => line["fault"] === "proxy.loop"))).toMatchObject({ target: "127.0.0.1:12080" })
  })

  test("rules that bring back what the proxy dials end in a loop that is seen at once", async () => {
    const { here, proxy } = world!
    await here.run("nft", "add table ip own")
    await here.run("nft", "add chain ip own out { type nat hook output priority -101; }")
    expect((await here.run("nft", "add rule ip own out tcp dport 8081 redirect to :12080")).code).toBe(0)
    const loops = () => proxy.log().filter(each => each["fault"] === "proxy.loop").length
    const before = loops()
    expect((await curl(`http://${OUT}:8081/`)).stdout).not.toContain("http ")
    await line(OUT, `${OUT}:8081`)
    expect(loops()).toBe(before + 1)
    await here.run("nft", "delete table ip own")
  })

  test("a name is known here by an address that stands for it, and goes to the exit as a name (O-51)", async () => {
    expect((await curl("http://site.test/")).stdout).toBe("exit site.test\n")
    expect((await curl("https://site.test/")).stdout).toBe("tls site.test\n")
    const asked = await until(() =>
      world!.proxy.log().find(each => each["method"] === "DNS" && each["host"] === "site.test" && each["target"] === "A"),
    )
    expect(asked).toMatchObject({ listener: "names", status: 200, scheme: "dns" })
    const captured = await until(() => world!.proxy.log().find(each => each["host"] === "site.test" && each["method"] === "CONNECT"))
    expect(captured["called"]).toStartWith("198.18.")
    expect(world!.outside.lines.filter(each => each.startsWith("asked"))).toEqual(["asked GET http://site.test/", "asked CONNECT site.test:443"])
    // What speaks first has no name but this one.
    expect(await call("site.test", 2525)).toBe("220 outside\r\nhi\n")
    expect(leaks()).toEqual([])
  })

  test("other UDP is rejected: QUIC falls back, and nothing leaks", async () => {
    const sent = await world!.here.run(
      "bash",
      "-c",
      `for p in 443 5353; do echo x > /dev/udp/${OUT}/$p; done; echo x > /dev/udp/${OUT_SIX}/443; true`,
    )
    expect(sent.stderr).toContain("not permitted")
    expect(leaks()).toEqual([])
  })

  // Long runs alone: one start of the program more.
  const whenLong = long ? test : null
  whenLong?.("told to stop, it captures nothing new, and what is open goes on to its end", async () => {
    const { here, proxy } = world!
    const talk = `exec 3<>/dev/tcp/${OUT}/2525; read -u3 line; echo "$line"; until [ -e ${proxy.configFile}.go ]; do sleep 0.05; done; echo hi >&3; read -t2 -u3 line; echo "$line"`
    const open = here.start("client", "bash", "-c", talk)
    await until(() => open.lines.length > 0)
    proxy.program.signal("SIGTERM")
    await until(() => proxy.program.stderr.includes("nothing new is captured"))
    expect((await curl(`http://${OUT}/`)).stdout).toBe(`http ${OUT} from 203.0.113.1\n`)
    writeFileSync(`${proxy.configFile}.go`, "")
    await until(() => open.lines.length > 1)
    expect(open.lines[1]).toBe("hi")
    expect(await proxy.program.exit()).toBe(0)
    expect((await here.run("nft", "list", "tables")).stdout).not.toContain("bothways")
    world!.proxy = await here.bothways(config)
  })

  test("stopped by force, nothing leaves until the rules are removed", async () => {
    const { here, proxy } = world!
    proxy.program.signal("SIGKILL")
    await proxy.program.exit()
    expect((await curl(`http://${OUT}/`)).code).not.toBe(0)
    expect(await call(OUT, 9999)).toBe("")
    expect(leaks()).toEqual([])
    const again = await here.start("bothways", process.execPath, "src/main.ts", "capture", "remove").exit()
    expect(again).toBe(0)
    expect((await curl(`http://${OUT}/`)).stdout).toContain(`http ${OUT} from 203.0.113.1`)
  })
})
