import { afterAll, describe, expect, test } from "bun:test"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { runCli } from "../cache/run-cli.fixture.ts"
import { noProxy, type ProxyAddress, proxyUrl, readyLines, shells, variables } from "./ready-lines.ts"

const top = mkdtempSync(join(tmpdir(), "bothways-env-"))
afterAll(() => rmSync(top, { recursive: true }))

function config(listeners: string): string {
  const path = join(top, `${Bun.hash(listeners)}.yaml`)
  writeFileSync(path, `listeners:\n  web: { bind: "127.0.0.1:80" }\n${listeners}routes: [{ match: { listener: web }, to: { respond: {} } }]\n`)
  return path
}

const at: ProxyAddress = {
  host: "proxy.example",
  port: 3128,
  secure: false,
  socks: true,
  login: null,
  pac: "/proxy.pac",
  direct: ["*.intranet.example"],
}

describe("bothways env", () => {
  test("the variables of the first forward listener, for eval", async () => {
    const ran = await runCli(["env", config('  egress: { bind: "127.0.0.1:3128", forward: { pac: { direct: [intranet.example] } } }\n')])
    expect(ran.code).toBe(0)
    const read = execFileSync("sh", ["-c", `eval "$1"; printf '%s|%s|%s' "$https_proxy" "$no_proxy" "$HTTP_PROXY"`, "sh", ran.stdout], { env: {} })
    expect(read.toString()).toBe("http://127.0.0.1:3128|localhost,127.0.0.1,::1,intranet.example|")
  })

  test("every address is this machine's name; the user's place is shown", async () => {
    const file = config('  egress: { bind: ":3128", forward: { auth: { htpasswd: x } } }\n')
    writeFileSync(join(top, "x"), "ann:{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=\n")
    expect((await runCli(["env", file, "--for", "git"])).stdout).toContain(`http://USER:PASSWORD@${hostname()}:3128`)
    expect((await runCli(["env", file, "--user", "a@b", "--host", "p.example", "--for", "git"])).stdout).toContain(
      "http://a%40b:PASSWORD@p.example:3128",
    )
  })

  test("what cannot be is said in a line", async () => {
    const none = await runCli(["env", config("")])
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("no listener of this config takes forward requests")])
    const word = await runCli(["env", config('  egress: { bind: ":3128", forward: true }\n'), "--for", "gti"])
    expect([word.code, word.stderr]).toEqual([2, expect.stringContaining('did you mean "git"')])
    const other = await runCli(["env", config('  egress: { bind: ":3128", forward: true }\n'), "--listener", "web"])
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("there is egress")])
  })

  test("--unset takes away what was set, in each shell", async () => {
    for (const shell of Object.keys(shells)) {
      const { stdout } = await runCli(["env", "--unset", "--shell", shell])
      for (const [name] of variables(at)) expect(stdout).toContain(name)
    }
  })
})

describe("ready lines", () => {
  test("a POSIX shell reads every value as it is meant", () => {
    const odd = { ...at, login: { user: "o'brien", password: "a b$c" } }
    for (const [name, value] of variables(odd)) {
      const read = execFileSync("sh", ["-c", `eval "$1"; printf %s "$${name}"`, "sh", shells["sh"]!.set(name, value)])
      expect(read.toString()).toBe(value)
    }
  })

  test("each names the proxy, and SOCKS resolves at the proxy", () => {
    for (const [client, lines] of Object.entries(readyLines)) {
      expect([client, lines(at)]).toEqual([
        client,
        expect.stringMatching(/proxy\.example(?::| |, port )\s*3128|proxy\.example:3128|proxy\.example\n/),
      ])
    }
    expect(readyLines["curl"]!(at)).toContain("socks5h://proxy.example:3128")
    expect(JSON.parse(readyLines["docker"]!(at).replace(/^#.*\n/, ""))).toEqual({
      proxies: { default: { httpProxy: proxyUrl(at), httpsProxy: proxyUrl(at), noProxy: noProxy(at) } },
    })
  })

  test("TLS and IPv6", () => {
    expect(proxyUrl({ ...at, secure: true, host: "2001:db8::1" })).toBe("https://[2001:db8::1]:3128")
    expect(readyLines["curl"]!({ ...at, secure: true })).not.toContain("socks5h")
  })
})
