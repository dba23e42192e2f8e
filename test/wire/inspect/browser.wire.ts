import { afterAll, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { until } from "../../support/wait.ts"
import { namesHere, newWorld, startSite } from "./site.ts"

// A browser that trusts the authority as any other: what its user sees of a page that was opened on its way.
const { upstream, own, port } = await newWorld()
const site = startSite(upstream.issue(["app.test"]))
const expired = startSite(upstream.issue(["app.test"], 0))
const proxy = await startBothways({
  resolver: { servers: [await namesHere("app.test")] },
  listeners: {
    egress: {
      bind: `127.0.0.1:${port}`,
      forward: {
        privateRanges: "allow",
        connectPorts: ["1-65535"],
        inspect: { ca: { cert: own.ca.certFile, key: own.ca.keyFile }, upstream: { ca: upstream.ca.certFile } },
      },
    },
  },
  routes: [
    { match: { listener: "egress", inspected: true, path: "/blocked" }, to: { respond: { status: 403, body: "not at school" } } },
    { match: { listener: "egress" }, to: { origin: {} } },
  ],
})
const browser = await startBrowser(`http://127.0.0.1:${port}`, { authority: own.ca.certFile })
afterAll(() => Promise.all([proxy.stop(), browser.close()]))

interface SecurityState {
  readonly securityState: string
  readonly certificateSecurityState?: { readonly issuer: string; readonly protocol: string; readonly subjectName: string }
}

test("the padlock is real: secure, over HTTP/2, by our authority; a block page is secure, too; a bad origin is an error in words", async () => {
  const page = await browser.newPage()
  const devtools = await page.context().newCDPSession(page)
  let state: SecurityState | null = null
  devtools.on("Security.visibleSecurityStateChanged" as never, (event: { visibleSecurityState: SecurityState }) => {
    if (event.visibleSecurityState.certificateSecurityState !== undefined) state = event.visibleSecurityState
  })
  await devtools.send("Security.enable")
  const answer = await page.goto(`https://app.test:${site.port}/page`)
  expect([answer!.status(), await page.textContent("body")]).toEqual([200, "page /page 1\n"])
  const seen = (await until(() => state)) as SecurityState
  expect([seen.securityState, seen.certificateSecurityState!.issuer, seen.certificateSecurityState!.subjectName]).toEqual([
    "secure",
    "Inside",
    "app.test",
  ])
  const picture = process.env["BOTHWAYS_TEST_PICTURES"] ?? ""
  if (picture !== "") await page.screenshot({ path: `${picture}/inspect-page.png` })
  const blocked = await page.goto(`https://app.test:${site.port}/blocked`)
  expect([blocked!.status(), await page.textContent("body")]).toEqual([403, "not at school"])
  const bad = await page.goto(`https://app.test:${expired.port}/`)
  expect([bad!.status(), await page.textContent("body")]).toEqual([502, expect.stringContaining("The server's certificate has expired")])
  if (picture !== "") await page.screenshot({ path: `${picture}/inspect-expired.png` })
  const line = await until(() => proxy.log().find(entry => entry["target"] === "/page"))
  expect([line["version"], String(line["ja4"]).slice(0, 4)]).toEqual(["2.0", "t13d"])
})
