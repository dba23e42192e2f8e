import { afterAll, beforeAll, expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { startBothways } from "../../support/bothways.ts"
import { NginxPeer } from "../../support/nginx-peer.ts"
import { freePorts } from "../../support/ports.ts"
import { pause } from "../../support/wait.ts"

// SIGTERM under load: whoever was let in is answered; whoever comes later is refused, not cut. RFC 9112 section 9.6: the last answer says close.

let origin: NginxPeer
beforeAll(async () => {
  const [peer] = (await freePorts(1)) as [number]
  origin = await new NginxPeer(peer).start()
})
afterAll(() => origin[Symbol.asyncDispose]())

interface Tally {
  answered: number
  refused: number
  readonly broken: string[]
}

/** One connection; asks until it is told that this was the last answer, or `once`. False = nobody listens any more. */
function visit(port: number, once: boolean, tally: Tally): Promise<boolean> {
  return new Promise(resolve => {
    const socket: Socket = connect(port, "127.0.0.1")
    let text = ""
    let asked = 0
    const ask = (): void => {
      asked++
      text = ""
      socket.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    }
    const end = (more: boolean): void => {
      socket.removeAllListeners()
      socket.on("error", () => {})
      socket.destroy()
      resolve(more)
    }
    socket.on("connect", ask)
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1")
      if (!text.includes(`from ${origin.port}`)) return
      tally.answered++
      if (once || text.includes("Connection: close")) return end(true)
      ask()
    })
    socket.on("error", error => {
      const { code } = error as NodeJS.ErrnoException
      // Or reset in the middle of the handshake: nothing was sent in either case, and the client knows that.
      if ((code === "ECONNREFUSED" || code === "ECONNRESET") && asked === 0) tally.refused++
      else tally.broken.push(`${code} after ${text.length} octets`)
      end(false)
    })
    socket.on("close", () => {
      tally.broken.push(`closed after ${text.length} octets`)
      end(false)
    })
  })
}

for (const once of [false, true]) {
  test(`SIGTERM under load, ${once ? "a connection for each request" : "kept connections"}: nobody who was let in goes without an answer`, async () => {
    const broken: string[] = []
    for (let round = 0; round < 3; round++) {
      const [port] = (await freePorts(1)) as [number]
      await using proxy = await startBothways(
        {
          listeners: { web: { bind: `127.0.0.1:${port}` } },
          clusters: { app: { peers: [origin.address] } },
          routes: [{ match: {}, to: { cluster: "app" } }],
          observe: { accessLog: { to: "none" } },
        },
        { workers: 2 },
      )
      const tally: Tally = { answered: 0, refused: 0, broken }
      const load = async (): Promise<void> => {
        while (await visit(port, once, tally));
      }
      const loads = Promise.all(Array.from({ length: 24 }, load))
      await pause(200)
      proxy.program.signal("SIGTERM")
      await loads
      expect(await proxy.program.exit()).toBe(0)
      expect(tally.answered).toBeGreaterThan(20)
    }
    expect(broken).toEqual([])
  })
}
