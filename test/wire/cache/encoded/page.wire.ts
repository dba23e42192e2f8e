import { afterAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { startBothways } from "../../../support/bothways.ts"
import { freePort } from "../../../support/ports.ts"
import { temporaryFolder } from "../../../support/processes.ts"
import { recorder } from "../../../support/recorder.ts"
import { run } from "../../../support/run.ts"
import { answer, ask } from "../cached-origin.ts"
import { pause } from "../../../support/wait.ts"
import { textOf } from "./text-origin.ts"

// docs/cache-compression.md shows what clients really get, from an instance with the config of the page.
const page = readFileSync(join(import.meta.dirname, "../../../../docs/cache-compression.md"), "utf8")
const config = parse(/^```yaml\n(.*?)^```/ms.exec(page)![1]!)
const session = /^```console\n(.*?)^```/ms.exec(page)![1]!
const folder = temporaryFolder("compression-page")
const port = await freePort()
const fields = ["Content-Type: text/html", 'ETag: "v1"', "Cache-Control: max-age=600"]
const origin = await recorder(answer(textOf(20_000).toString(), fields))
config.listeners.web.bind = `127.0.0.1:${port}`
config.clusters.shop.peers = [origin.address]
const proxy = await startBothways(config)
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

test("the commands of the page say what it shows", async () => {
  for (let times = 0, coding = ""; coding !== "br" && times < 100; times++) {
    coding = (await ask(port, "/item/1", ["Host: shop.example", "Accept-Encoding: gzip, br"])).fields["content-encoding"] ?? ""
    await pause(20)
  }
  const shown = session.split(/^\$ /m).slice(1)
  expect(shown.length).toBe(4)
  for (const each of shown) {
    const [command, ...lines] = each.trimEnd().split("\n")
    const there = command!.replace("curl ", `curl --connect-to shop.example:80:127.0.0.1:${port} `).replace("page.html", join(folder, "page.html"))
    const { stdout } = await run("sh", "-c", there)
    expect([command, steady(stdout)]).toEqual([command, steady(lines.join("\n"))])
  }
})

/** The length of what is encoded is the encoder's own. */
function steady(text: string): string[] {
  return text
    .replaceAll("\r", "")
    .trim()
    .replace(/(Content-Encoding: br\n.*\nContent-Length: )\d+/, "$1N")
    .split("\n")
}
