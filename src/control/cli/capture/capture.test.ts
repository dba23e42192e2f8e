import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "../program.ts"

const directory = mkdtempSync(join(tmpdir(), "bothways-capture-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function run(command: string, content: string) {
  const file = join(directory, "bothways.yaml")
  writeFileSync(file, content)
  let stdout = ""
  let stderr = ""
  const code = await main(["capture", command, file], {
    out: { write: text => void (stdout += text) },
    err: { write: text => void (stderr += text) },
    env: {},
  })
  return { code, stdout, stderr }
}

const listeners = `listeners: { inside: { bind: ":12080", forward: { transparent: tproxy } } }
routes: [ { to: { origin: {} } } ]
`

describe("bothways capture", () => {
  test("show prints what one would type, and changes nothing", async () => {
    const { code, stdout } = await run("show", `${listeners}capture: { network: { from: [10.0.0.0/8] } }\n`)
    expect(code).toBe(0)
    expect(stdout).toStartWith("# ip -4 rule add fwmark ")
    expect(stdout).toContain("\n# nft -f - <<'END'\nadd table inet bothways\n")
    expect(stdout).toContain("tproxy ip to :12080")
  })

  test("a config without capture, or one that is wrong, shows nothing", async () => {
    expect(await run("show", listeners)).toEqual({
      code: 1,
      stdout: "",
      stderr: `bothways: ${join(directory, "bothways.yaml")} captures nothing; it has no \`capture\`\n`,
    })
    const wrong = await run("apply", `${listeners}capture: { machine: true, mark: 7 }\n`)
    expect([wrong.code, wrong.stdout]).toEqual([2, ""])
    expect(wrong.stderr).toContain("capture.machine: needs a listener with `forward: { transparent: redirect }`")
  })
})
