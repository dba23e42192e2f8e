import { afterAll, describe, expect, test } from "bun:test"
import { rawClient } from "../../support/raw-client.ts"
import { answer, cachedOrigin, isHit, targetOf } from "./cached-origin.ts"

// O-23: a field, or a body, that changes the answer and not the key (RFC 9111 section 7.1).

const forwarding = ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-for", "x-forwarded-prefix", "forwarded"]

const world = await cachedOrigin((request, count) => {
  const target = targetOf(request)
  if (target === "/count") return answer(String(count), ["Cache-Control: max-age=60"])
  return answer(JSON.stringify([forwarding.map(name => request.fields[name]), request.body]), ["Cache-Control: max-age=60"])
})
afterAll(() => world[Symbol.asyncDispose]())

describe("O-23: the second visitor does not get what the first one sent", () => {
  for (const name of forwarding) {
    test(name, async () => {
      const target = `/${name}`
      await world.ask(target, [`${name}: evil.test`])
      const plain = await world.ask(target)
      expect(plain.body).not.toContain("evil.test")
      expect(isHit(await world.ask(target))).toBe(true)
    })
  }

  test("a GET with a body is neither stored nor served from what is stored", async () => {
    const withBody = async (body: string): Promise<string> => {
      using client = await rawClient(world.port)
      client.send(`GET /body HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      return (await client.response()).body
    }
    expect(await withBody("evil.test")).toContain("evil.test")
    expect((await world.ask("/body")).body).not.toContain("evil.test")
    expect(await withBody("again")).toContain("again")
    expect((await world.ask("/body")).body).not.toContain("again")
    expect(isHit(await world.ask("/body"))).toBe(true)
  })

  test("a chunked body of a GET counts, an empty one does not matter", async () => {
    using client = await rawClient(world.port)
    client.send("GET /chunked HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n")
    expect((await client.response()).body).toContain("evil")
    expect((await world.ask("/chunked")).body).not.toContain("evil")
  })

  test("what is no part of it changes nothing: two clients share one answer", async () => {
    await world.ask("/count", ["User-Agent: one", "X-Anything: one"])
    expect((await world.ask("/count", ["User-Agent: two", "X-Anything: two"])).body).toBe("1")
  })
})
