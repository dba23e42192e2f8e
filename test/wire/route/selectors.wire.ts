import { afterAll, describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"
import { reverseConfig } from "../../support/reverse-config.ts"

const port = await freePort()
const u1 = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nU1")
const u2 = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nU2")
const routes = [
  { match: { host: "api.app.test", path: "/v1/*" }, to: { cluster: "inner" } },
  { match: {}, to: { cluster: "a" } },
]
const proxy = await startBothways(reverseConfig(port, u1.address, { clusters: { inner: { peers: [u2.address] } }, routes }))
afterAll(async () => {
  await proxy.stop()
  await u1[Symbol.asyncDispose]()
  await u2[Symbol.asyncDispose]()
})

async function asked(host: string, path: string): Promise<string | number> {
  using client = await rawClient(port)
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const { status, body } = await client.response()
  return status === 200 ? body : status
}

describe("O-19: host and path are compared whole", () => {
  for (const host of ["api.app.test", "api.app.test:1234", "API.APP.TEST", "api.app.test.", "Api.App.Test.:80"]) {
    test(`${host} is the host`, async () => {
      expect([await asked(host, "/v1"), await asked(host, "/v1/x"), await asked(host, "/v1/")]).toEqual(["U2", "U2", "U2"])
      expect([await asked(host, "/v1evil"), await asked(host, "/q?/v1"), await asked(host, "/q?x=/v1/x")]).toEqual(["U1", "U1", "U1"])
      expect(await asked(host, "/V1/x")).toBe("U1")
    })
  }
  for (const host of ["xapi.app.test", "api.app.test.evil.test", "app.test", "api.app.testx", "api-app.test", "x.api.app.test"]) {
    test(`${host} is another host`, async () => {
      expect([await asked(host, "/v1/x"), await asked(host, "/v1evil"), await asked(host, "/q?/v1")]).toEqual(["U1", "U1", "U1"])
    })
  }
  for (const host of [
    "api.app.test/v1",
    "u@api.app.test",
    "api.app.test:x",
    "api.app.test:99999",
    "api.app.test:80:80",
    "api app.test",
    "a,api.app.test",
    "api.app.test#",
    "",
    "api.app.test..",
  ]) {
    // "" and "a,b" are allowed by the grammar of a URI's host, but no host of ours is called so.
    const expected = host === "" || host.includes(",") || host.endsWith("..") ? "U1" : 400
    test(`${JSON.stringify(host)} is ${expected}`, async () => expect(await asked(host, "/v1/x")).toBe(expected))
  }
  test("the outgoing Host is what the client wrote", async () => {
    u2.requests.length = 0
    await asked("API.app.test:1234", "/v1/x")
    expect(u2.requests[0]!.fields.host).toBe("API.app.test:1234")
  })
})
