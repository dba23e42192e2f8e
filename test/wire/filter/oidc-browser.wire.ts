import { afterAll, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { startBothways } from "../../support/bothways.ts"
import { startBrowser } from "../../support/browser.ts"
import { Authority } from "../../support/certificates.ts"
import { OidcProvider } from "../../support/oidc-provider.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { scriptedServer } from "../../support/scripted-server.ts"

// A person's browser logs in; scripts of another site use the interface next door, as far as cors lets them.
const site = new Authority().issue(["localhost"])
const provider = await new OidcProvider().start()
const page = "<!doctype html><title>App</title><h1>hello</h1>"
const app = await scriptedServer(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`)
const api = await scriptedServer("HTTP/1.1 200 OK\r\nX-Total: 7\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 4\r\n\r\ndata")
const [secure, web] = (await freePorts(2)) as [number, number]
const folder = temporaryFolder("oidc-browser")
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const base = `https://localhost:${secure}`
provider.redirectUris = [`${base}/oauth2/callback`]
const login = {
  issuer: provider.issuer,
  clientId: "shop",
  clientSecretFile: file("client", provider.clientSecret),
  sessionSecretFile: file("session", "s".repeat(40)),
}
const proxy = await startBothways({
  listeners: {
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: site.certFile, key: site.keyFile }] } },
    web: { bind: `127.0.0.1:${web}` },
  },
  clusters: { app: { peers: [app.address] }, api: { peers: [api.address] } },
  routes: [
    { name: "app", match: { listener: "secure" }, filters: [{ oidc: login }, "security-headers"], to: { cluster: "app" } },
    {
      name: "api",
      match: { path: "/api" },
      filters: [
        { "api-key": { keys: file("keys", "shop:a-key-of-the-shop-0123456789") } },
        { cors: { origins: [base], headers: ["X-API-Key"], expose: ["X-Total"], privateNetwork: true } },
      ],
      to: { cluster: "api" },
    },
  ],
})
const browser = await startBrowser()
afterAll(async () => {
  await browser.close()
  await proxy.stop()
  await Promise.all([app.close(), api.close(), provider[Symbol.asyncDispose]()])
})

test("Chromium logs in, keeps its __Host- cookie, calls the interface across origins, and logs out", async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const tab = await context.newPage()
  const answer = await tab.goto(`${base}/desk?a=b`, { timeout: 15_000 })
  expect([answer?.status(), tab.url(), await tab.title()]).toEqual([200, `${base}/desk?a=b`, "App"])
  expect(await answer?.headerValue("strict-transport-security")).toBe("max-age=31536000")
  const cookies = await context.cookies(base)
  expect(cookies.map(({ name, httpOnly, secure, sameSite, path }) => [name, httpOnly, secure, sameSite, path])).toEqual([
    ["__Host-bothways", true, true, "Lax", "/"],
  ])
  const call = (fields: string, origin = `http://127.0.0.1:${web}`): Promise<unknown> =>
    tab.evaluate(
      `fetch("${origin}/api", { method: "PUT", headers: ${fields} }).then(async r => [r.status, r.headers.get("x-total"), await r.text()], e => "failed")`,
    )
  expect(await call('{ "X-API-Key": "a-key-of-the-shop-0123456789" }')).toEqual([200, "7", "data"])
  // A script can read a refusal, and cannot send what is not allowed.
  expect(await call('{ "X-API-Key": "wrong" }')).toEqual([401, null, expect.stringContaining("proxy.login-required")])
  expect(await call('{ "X-Other": "1" }')).toBe("failed")
  await tab.goto(`${base}/oauth2/logout`, { timeout: 15_000 })
  // At the provider, back to the site, and there the log-in begins anew.
  expect([provider.asked.includes("/logout"), tab.url()]).toEqual([true, `${base}/`])
  expect(provider.asked.filter(path => path === "/authorize").length).toBe(2)
  await context.close()
}, 40_000)
