import { afterAll, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import type { TunnelStatus } from "../../../src/control/cli/tunnel/tunnel-text.ts"
import { mainFor } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "../../support/processes.ts"
import { recorder } from "../../support/recorder.ts"
import { run } from "../../support/run.ts"

// examples/exit.yaml and examples/tunnel.yaml, with the files that their comments make.
const root = join(import.meta.dirname, "..", "..", "..")
const folder = temporaryFolder("tunnel-page")
const [exitAt, tunnelAt, statusAt] = (await freePorts(3)) as [number, number, number]
const origin = await recorder()
const programs: Program[] = []
afterAll(async () => {
  await Promise.all(programs.map(program => program.stop()))
  await origin[Symbol.asyncDispose]()
})

/** An example's commands that make files, run as they are written. */
async function prepare(text: string): Promise<void> {
  for (const [, command] of text.matchAll(/^# {3}((?:openssl|printf|cut) .*)$/gm)) {
    const made = await run("bash", "-c", `cd ${folder} && ${command}`)
    expect([command, made.code]).toEqual([command, 0])
  }
}

async function start(name: string, port: number, change: (text: string) => string): Promise<void> {
  const text = readFileSync(join(root, "examples", `${name}.yaml`), "utf8")
  await prepare(text)
  const file = join(folder, `${name}.yaml`)
  writeFileSync(file, change(text))
  const program = startProgram(name, process.execPath, [mainFor([]), "run", file, "--workers", "1"])
  programs.push(program)
  await untilReady(program, () => isListening(port))
}

test("both ends come up as their comments say, and carry a request", async () => {
  const open = (text: string): string => {
    const model = parse(text.replaceAll("8443", String(exitAt))) as { listeners: { exit: { forward: object } } }
    // The origin of this test is on loopback, which an exit keeps closed.
    Object.assign(model.listeners.exit.forward, { privateRanges: "allow" })
    return JSON.stringify(model)
  }
  await start("exit", exitAt, open)
  await start("tunnel", tunnelAt, text =>
    text.replaceAll("8443", String(exitAt)).replaceAll("1080", String(tunnelAt)).replaceAll("9900", String(statusAt)),
  )
  const { stdout } = await run("curl", "-sS", "-x", `socks5h://127.0.0.1:${tunnelAt}`, `http://localhost:${origin.port}/`)
  expect(stdout).toBe("ok")
  const status = await run(process.execPath, mainFor([]), "tunnel", "status", "--admin", `127.0.0.1:${statusAt}`, "--json")
  const said = JSON.parse(status.stdout) as TunnelStatus
  expect(said).toMatchObject({ connected: true, away: "", reconnects: 0 })
  expect(said.connections[0]).toMatchObject({ protocol: "HTTP/2", tls: { version: "TLSv1.3", names: "DNS:exit.example, IP Address:127.0.0.1" } })
}, 20_000)
