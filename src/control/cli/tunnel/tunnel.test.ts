import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Config, parseConfig } from "../../../config/index.ts"
import { formatExit, readExitAddress } from "./exit-address.ts"
import { exitConfig, type ExitOptions, exitPortsDefault } from "./exit-config.ts"
import { readToken } from "./read-token.ts"
import { tunnelConfig, type TunnelOptions } from "./tunnel-config.ts"

const options: TunnelOptions = { via: "https://exit.example", listen: ["127.0.0.1:1080"], token: "abc", addresses: null, wait: "10s", log: "none" }

async function configOf(input: object): Promise<Config> {
  const loaded = await parseConfig(JSON.stringify(input), "a command")
  if (!loaded.ok) throw new Error(loaded.problems.map(problem => problem.message).join("; "))
  return loaded.config
}

const tunnel = (more: Partial<TunnelOptions> = {}) => configOf(tunnelConfig({ ...options, ...more }))

describe("--via", () => {
  test.each([
    ["https://exit.example", "exit.example:443"],
    ["https://Exit.Example:8443/", "exit.example:8443"],
    ["exit.example", "exit.example:443"],
    ["https://[2001:db8::7]", "[2001:db8::7]:443"],
    ["203.0.113.7:8443", "203.0.113.7:8443"],
  ])("%s", (text, expected) => {
    expect(formatExit(readExitAddress(text))).toBe(expected)
  })
  test.each([
    "http://exit.example",
    "https://ann:secret@exit.example",
    "https://exit.example/path",
    "https://exit.example:0",
    "https://exit.example:70000",
    "https://[zz]",
    "",
  ])("%s is none", text => {
    expect(() => readExitAddress(text)).toThrow("--via")
  })
})

describe("the tunnel's config", () => {
  test("has one destination, and every listener leads there", async () => {
    for (const more of [{}, { everything: true, addresses: ["203.0.113.7"] }]) {
      const { routes, listeners, clusters } = await tunnel(more)
      expect(Object.keys(clusters)).toEqual(["exit"])
      expect(routes.map(({ to }) => to)).toMatchObject([{ kind: "origin", via: "exit" }])
      const forwards = Object.entries(listeners).flatMap(([name, { forward }]) => (forward === null ? [] : [name]))
      expect(routes[0]!.match.listeners).toEqual(forwards)
    }
  })
  test("speaks TLS 1.3 to the exit's name, checks it, and asks whether it is there", async () => {
    const { exit } = (await tunnel({ via: "https://203.0.113.7", serverName: "exit.example" })).clusters
    expect(exit!.tls).toMatchObject({ minVersion: "1.3", verify: true, serverName: "exit.example" })
    expect(exit!.http2).toMatchObject({ pingAfter: 5000, pongWithin: 4000, pingIdle: true, padding: false })
    expect(exit!.protocol).toBe("http2")
  })
  test("with --everything lets the exit's own addresses out, and rejects what it cannot carry", async () => {
    const { capture, listeners } = await tunnel({ everything: true, killSwitch: true, addresses: ["203.0.113.7", "2001:db8::7"] })
    expect(capture).toMatchObject({
      machine: { listener: "captured" },
      dns: "names",
      spare: ["203.0.113.7/32", "2001:db8::7/128"],
      udp: "reject",
      ipv6: "reject",
      killSwitch: true,
    })
    expect(listeners["names"]!.dns).toMatchObject({ answer: "stand-in" })
  })
  test("needs a log-in, and one", () => {
    const without = { ...options, token: undefined } as unknown as TunnelOptions
    expect(() => tunnelConfig(without)).toThrow("--token-file")
    expect(() => tunnelConfig({ ...options, user: "ann", passwordFile: "f" })).toThrow("one log-in")
    expect(() => tunnelConfig({ ...without, user: "ann" })).toThrow("go together")
    expect(() => tunnelConfig({ ...without, cert: "f" })).toThrow("go together")
  })
})

describe("the exit's config", () => {
  const given: ExitOptions = { listen: [":8443"], cert: "c.pem", key: "k.pem", connectPorts: exitPortsDefault, log: "none" }
  test("is no open proxy", () => {
    expect(() => exitConfig(given)).toThrow("open proxy")
  })
  test("keeps inner addresses and port 25 closed, and takes TLS 1.3 alone", () => {
    const { exit } = (exitConfig({ ...given, tokenFile: "t" }) as unknown as { listeners: { exit: { tls: object; forward: object } } }).listeners
    expect(exit.tls).toMatchObject({ minVersion: "1.3" })
    expect(exit.forward).toMatchObject({ connectPorts: ["1-24", "26-65535"], auth: { bearer: { tokens: "t" } } })
    expect(exit.forward).not.toHaveProperty("privateRanges")
  })
})

describe("a token's file", () => {
  const folder = mkdtempSync(join(tmpdir(), "bothways-token-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (text: string): string => {
    const path = join(folder, "token")
    writeFileSync(path, text)
    return path
  }
  test.each([
    ["abc.DEF-1\n", "abc.DEF-1"],
    ["# mine\nann:abc==\r\n", "abc=="],
  ])("%j", (text, expected) => {
    expect(readToken(file(text))).toBe(expected)
  })
  test.each(["", "two words\n", "ann:{SHA256}00ff\n", "tökén\n"])("%j is none, and its text is not in the message", text => {
    const read = () => readToken(file(text))
    expect(read).toThrow("--token-file")
    if (text.trim() !== "") expect(read).not.toThrow(text.trim())
  })
})
