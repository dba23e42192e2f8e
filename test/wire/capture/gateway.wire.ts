import { join } from "node:path"
import { afterAll, expect, test } from "bun:test"
import type { Bothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { cable, canMakeSpaces, describeSpaces, NetSpace } from "../../support/net-space.ts"
import type { Program } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"

const OUT = "203.0.113.10"
const OUT_SIX = "2001:db8:113::10"
const CLIENTS = ["10.77.0.0/24", "fd77::/64"]

/** A client that knows of no proxy, its gateway with the proxy, and the world. */
const world = canMakeSpaces ? await build() : null

function config(listener: string, more: object = {}, answered = CLIENTS): object {
  const forward = { privateRanges: ["203.0.113.0/24", "2001:db8::/32"], connectPorts: [443, 2525] }
  return {
    workers: 2,
    listeners: {
      redirected: { bind: ":12080", forward: { transparent: { mode: "redirect", silence: "50ms" }, ...forward } },
      brought: { bind: ":12081", forward: { transparent: { mode: "tproxy", silence: "50ms" }, ...forward } },
      names: { bind: ":12053", dns: { answer: "stand-in", ipv6: "fd00:6277::/96", from: answered } },
    },
    capture: { network: { from: CLIENTS, listener }, ...more },
    routes: [{ to: { origin: {} } }],
  }
}

interface World {
  readonly client: NetSpace
  readonly outside: Program
  readonly proxy: Bothways
  readonly ca: string
  end(): Promise<void>
}

async function build(): Promise<World> {
  const authority = new Authority()
  const { certFile, keyFile } = authority.issue(["site.test"])
  const [client, gateway, there] = [new NetSpace("client"), new NetSpace("gate"), new NetSpace("there")]
  cable(client, ["10.77.0.2/24", "fd77::2/64"], gateway, ["10.77.0.1/24", "fd77::1/64"])
  cable(gateway, ["203.0.113.1/24", "2001:db8:113::1/64"], there, [`${OUT}/24`, `${OUT_SIX}/64`])
  await gateway.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
  client.ip("route", "add", "default", "via", "10.77.0.1")
  client.ip("-6", "route", "add", "default", "via", "fd77::1")
  there.ip("route", "add", "10.77.0.0/24", "via", "203.0.113.1")
  there.ip("-6", "route", "add", "fd77::/64", "via", "2001:db8:113::1")
  client.nameServer(OUT)
  gateway.hosts({ "site.test": OUT })
  const outside = there.start("outside", process.execPath, join(import.meta.dirname, "outside.fixture.ts"), certFile, keyFile)
  const proxy = await gateway.bothways(config("redirected"))
  await until(() => outside.lines.includes("ready"), 5000, "the world outside")
  const end = async (): Promise<void> => {
    await proxy.stop()
    await outside.stop()
    for (const space of [client, gateway, there]) space.remove()
  }
  return { client, outside, proxy, ca: authority.ca.certFile, end }
}

afterAll(() => world?.end())

const curl = (...args: string[]) => world!.client.run("curl", "-sS", "-m", "4", "--cacert", world!.ca, ...args)
const lines = (listener: string) => world!.proxy.log().filter(line => line["listener"] === listener)
const leaks = () => world!.outside.lines.filter(line => line.startsWith("leak"))

/** The client puts a query to the gateway itself. */
async function asks(): Promise<string> {
  const script = `const s = require("node:dgram").createSocket("udp4")
    const end = word => { console.log(word); process.exit() }
    s.on("message", () => end("answered")); s.on("error", () => end("refused")); setTimeout(end, 500, "nothing")
    s.send(Buffer.from("000101000001000000000000047369746504746573740000010001", "hex"), 12053, "10.77.0.1")`
  return (await world!.client.run(process.execPath, "-e", script)).stdout.trim()
}

async function becomes(next: object): Promise<void> {
  const { proxy } = world!
  const before = proxy.program.stderr.split("config is live").length
  proxy.rewrite(next)
  proxy.program.signal("SIGHUP")
  await until(() => proxy.program.stderr.split("config is live").length > before, 5000, "the reload")
}

/** What a client behind the gateway sees, whichever way its connections are brought here. */
async function browse(listener: string): Promise<void> {
  for (const address of [OUT, `[${OUT_SIX}]`]) {
    const from = address === OUT ? "203.0.113.1" : "2001:db8:113::1"
    const client = address === OUT ? "10.77.0.2" : "fd77::2"
    expect((await curl("--resolve", `site.test:80:${address}`, "http://site.test/")).stdout).toBe(`http site.test from ${from}\n`)
    expect((await curl("--resolve", `site.test:443:${address}`, "https://site.test/")).stdout).toBe("tls site.test\n")
    const named = (called: string) =>
      until(() => lines(listener).find(line => line["called"] === called), 3000, `${called} in the log of ${listener}`)
    expect(await named(`${address}:80`)).toMatchObject({ client, host: "site.test", status: 200, peer: `${address}:80` })
    expect(await named(`${address}:443`)).toMatchObject({ client, host: "site.test", status: 200, method: "CONNECT" })
  }
  const talk = `exec 3<>/dev/tcp/${OUT}/2525; read -t2 -u3 line && echo "$line"`
  expect((await world!.client.run("bash", "-c", talk)).stdout).toBe("220 outside\r\n")
}

describeSpaces("connections of other machines, at their gateway", () => {
  test("are redirected, over IPv4 and IPv6", () => browse("redirected"))

  test("know names by addresses that stand for them, of both families, and no query goes further", async () => {
    for (const family of ["-4", "-6"]) {
      expect((await curl(family, "http://site.test/")).stdout).toBe("http site.test from 203.0.113.1\n")
      expect((await curl(family, "https://site.test/")).stdout).toBe("tls site.test\n")
    }
    const called = (start: string) => lines("redirected").filter(line => String(line["called"]).startsWith(start)).length
    await until(() => called("198.18.") === 2 && called("[fd00:6277::") === 2, 3000, "addresses that stand for names in the log")
    expect(lines("names").every(line => ["10.77.0.2", "fd77::2"].includes(String(line["client"])))).toBe(true)
    expect(leaks()).toEqual([])
  })

  test("the listener itself is no proxy for them", async () => {
    expect((await curl("http://10.77.0.1:12080/")).code).not.toBe(0)
    expect((await curl("-x", "http://10.77.0.1:12080", `http://${OUT}/`)).code).not.toBe(0)
    expect((await curl("-x", "http://10.77.0.1:12081", `http://${OUT}/`)).stdout).not.toContain("http")
  })

  test("what is not captured does not go through", async () => {
    const sent = await world!.client.run("bash", "-c", `echo x > /dev/udp/${OUT}/443; echo x > /dev/udp/${OUT}/5353; ping -c1 -W1 ${OUT}`)
    expect(sent.code).not.toBe(0)
    expect(leaks()).toEqual([])
  })

  test("are brought by tproxy after a reload", async () => {
    await becomes(config("brought"))
    await browse("brought")
    expect((await curl("-w", " %{http_code}", "http://10.77.0.1:12081/")).stdout).toEndWith(" 508")
    expect(await until(() => lines("brought").findLast(line => line["fault"] === "proxy.loop"))).toMatchObject({ called: "10.77.0.1:12081" })
  })

  test("are opened where the listener inspects, by the name in TLS, and go where they were going", async () => {
    const own = new Authority("Inside")
    const inspect = { ca: { cert: own.ca.certFile, key: own.ca.keyFile }, upstream: { ca: world!.ca } }
    const model = config("redirected") as { listeners: { redirected: { forward: object } } }
    Object.assign(model.listeners.redirected.forward, { inspect })
    await becomes(model)
    const asked = ["--resolve", `site.test:443:${OUT}`, "--cacert", own.ca.certFile, "https://site.test/opened"]
    expect((await world!.client.run("curl", "-sS", "-m", "4", ...asked)).stdout).toBe("tls site.test\n")
    const line = await until(() => lines("redirected").find(entry => entry["target"] === "/opened"), 3000, "what is inside in the log")
    expect(line).toMatchObject({ client: "10.77.0.2", tls: "inspect", host: "site.test", peer: `${OUT}:443`, called: `${OUT}:443` })
    await becomes(config("brought"))
  })

  test("with less of it captured the rest goes its way, and at the end all of it does", async () => {
    expect(await asks()).toBe("answered")
    await becomes(config("brought", { ports: [443], killSwitch: false, udp: "quic", dns: "off" }, ["192.0.2.0/24"]))
    // Nor are its queries answered any more.
    expect(await asks()).toBe("nothing")
    expect((await curl(`http://${OUT}/`)).stdout).toBe(`http ${OUT} from 10.77.0.2\n`)
    await world!.client.run("bash", "-c", `echo x > /dev/udp/${OUT}/443; echo x > /dev/udp/${OUT}/5353`)
    await until(() => leaks().includes("leak udp 5353 10.77.0.2"))
    expect(leaks()).not.toContain("leak udp 443 10.77.0.2")
    world!.proxy.program.signal("SIGKILL")
    await until(async () => (await curl("-k", `https://${OUT}/`)).stdout === `tls ${OUT}\n`, 3000, "the end of the rules")
  })
})
