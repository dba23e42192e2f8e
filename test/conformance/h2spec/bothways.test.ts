import { afterAll, describe } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { Authority } from "../../support/certificates.ts"
import { freePorts } from "../../support/ports.ts"
import { recorder } from "../../support/recorder.ts"
import { serverSuite } from "./suite.ts"

const [plain, secure] = (await freePorts(2)) as [number, number]
const { certFile, keyFile } = new Authority().issue(["a.test"])
const origin = await recorder("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nlong enough")
const proxy = await startBothways({
  listeners: {
    plain: { bind: `127.0.0.1:${plain}` },
    secure: { bind: `127.0.0.1:${secure}`, tls: { certificates: [{ cert: certFile, key: keyFile }] } },
  },
  clusters: { a: { peers: [origin.address] } },
  routes: [{ to: { cluster: "a" } }],
})
afterAll(async () => {
  await proxy.stop()
  await origin[Symbol.asyncDispose]()
})

describe("on a plain listener, by prior knowledge", () => serverSuite(() => ({ port: plain })))
describe("on a TLS listener", () => serverSuite(() => ({ port: secure, tls: { servername: "a.test" } })))
