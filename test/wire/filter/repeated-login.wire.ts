import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "bun:test"
import { startBothways } from "../../support/bothways.ts"
import { freePort } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { rawClient } from "../../support/raw-client.ts"
import { recorder } from "../../support/recorder.ts"

// The hash of "right".
const line = `u:{SHA}${Buffer.from(new Bun.CryptoHasher("sha1").update("right").digest()).toString("base64")}\n`

describe("wrong credentials: the fifth on one connection is the last (fault.close)", () => {
  for (const [name, status, field, fault] of [
    ["forward", 407, "Proxy-Authorization", "proxy.auth-repeated"],
    ["reverse", 401, "Authorization", "proxy.login-repeated"],
  ] as const) {
    test(name, async () => {
      const file = join(temporaryFolder("htpasswd"), "users")
      writeFileSync(file, line)
      const port = await freePort()
      await using upstream = await recorder()
      const forward = name === "forward"
      await using _proxy = await startBothways({
        listeners: {
          l: { bind: `127.0.0.1:${port}`, ...(forward && { forward: { privateRanges: "allow", ports: [upstream.port], auth: { htpasswd: file } } }) },
        },
        clusters: { a: { peers: [upstream.address] } },
        routes: [forward ? { to: { origin: {} } } : { filters: [{ "basic-auth": { htpasswd: file } }], to: { cluster: "a" } }],
      })
      using client = await rawClient(port)
      const send = (password: string | null): void => {
        const credentials = password === null ? "" : `${field}: Basic ${btoa(`u:${password}`)}\r\n`
        client.send(`GET http://${upstream.address}/ HTTP/1.1\r\nHost: ${upstream.address}\r\n${credentials}\r\n`)
      }
      send(null)
      expect((await client.response()).status).toBe(status)
      send("right")
      expect((await client.response()).status).toBe(200)
      for (let i = 1; i <= 5; i++) {
        send("wrong")
        const response = await client.response()
        expect([response.status, response.fields.connection]).toEqual([status, i < 5 ? undefined : "close"])
        expect(response.body.includes(fault)).toBe(i === 5)
      }
      send("right")
      expect(await client.toEnd()).toBe("")
      expect(upstream.requests).toHaveLength(1)
    })
  }
})
