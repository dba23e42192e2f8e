import { afterAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { mainFor } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { startNginx } from "../../support/peers.ts"
import { freePorts } from "../../support/ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { until } from "../../support/wait.ts"

const authority = new Authority()
const pair = authority.issue(["localhost", "127.0.0.1"])
const [named] = (await freePorts(1)) as [number]
const nginx = await startNginx(
  named,
  `server { listen 127.0.0.1:${named} ssl; ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile}; location / { return 200 "$ssl_server_name|$host|$uri"; } }`,
)
const programs: Program[] = []
afterAll(async () => {
  for (const program of [...programs, nginx]) await program.stop()
})

/** Starts a command that listens, and gives its port. */
async function started(words: readonly string[], env: Record<string, string> = {}): Promise<{ port: number; program: Program }> {
  const [port] = (await freePorts(1)) as [number]
  const all = [mainFor([]), ...words, "--listen", `127.0.0.1:${port}`, "--admin", "off", "--workers", "1"]
  const program = startProgram(`bothways ${words[0]}`, process.execPath, all, { env })
  programs.push(program)
  await untilReady(program, () => isListening(port))
  return { port, program }
}

async function get(port: number, target = "/x", tls = false): Promise<{ status: number; body: string }> {
  using client = await rawClient(port, tls ? { tls: { servername: "localhost", ca: authority.ca.cert } } : {})
  client.send(`GET ${target} HTTP/1.1\r\nHost: site.test\r\n\r\n`)
  return await client.response()
}

describe("bothways reverse --to https://…", () => {
  test("does not believe a certificate of an authority that nobody knows", async () => {
    const { port, program } = await started(["reverse", "--to", `https://localhost:${named}`])
    expect(await get(port)).toMatchObject({ status: 502, body: expect.stringContaining("upstream.tls-failed") })
    await until(() => program.lines.some(line => line.includes('"GET /x HTTP/1.1" 502')))
    expect(program.stderr).toContain("the TLS handshake with a peer failed")
  })
  test("believes those of the system, and sends the name of the target", async () => {
    const { port } = await started(["reverse", "--to", `https://localhost:${named}`], { SSL_CERT_FILE: authority.ca.certFile })
    expect(await get(port)).toMatchObject({ status: 200, body: "localhost|site.test|/x" })
  })
  test("an address is no name, and is checked as an address", async () => {
    const { port } = await started(["reverse", "--to", `https://127.0.0.1:${named}`], { SSL_CERT_FILE: authority.ca.certFile })
    expect(await get(port)).toMatchObject({ status: 200, body: "|site.test|/x" })
  })
  test("--insecure takes what comes; --cert and --key end TLS here", async () => {
    const { port } = await started(["reverse", "--to", `https://localhost:${named}`, "--insecure", "--cert", pair.certFile, "--key", pair.keyFile])
    expect(await get(port, "/y", true)).toMatchObject({ status: 200, body: "localhost|site.test|/y" })
  })
})

test("bothways forward --htpasswd: asks, and tells the origin nothing", async () => {
  const file = join(temporaryFolder("users"), "users")
  expect(Bun.spawnSync(["htpasswd", "-bcB", "-C", "5", file, "ann", "right"]).exitCode).toBe(0)
  const { port } = await started(["forward", "--allow-private", "--htpasswd", file, "--connect-ports", String(named)])
  const url = `https://localhost:${named}/z`
  const curl = (...words: string[]) => {
    const child = Bun.spawn(["curl", "-sS", "--cacert", authority.ca.certFile, "-x", `http://127.0.0.1:${port}`, ...words, url], { stderr: "pipe" })
    return child.exited.then(async code => [code, await new Response(child.stdout).text()])
  }
  expect(await curl("--proxy-user", "ann:right")).toEqual([0, "localhost|localhost|/z"])
  expect((await curl("--proxy-user", "ann:wrong"))[0]).toBe(56)
  expect((await curl())[0]).toBe(56)
})
