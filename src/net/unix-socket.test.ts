import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ptr } from "bun:ffi"
import { inheritedSocket, openSocket } from "./listening-socket.ts"
import { closeDescriptor, duplicate } from "./libc.ts"
import { listen } from "./listen.ts"
import { openLibc } from "./open-libc.ts"
import { SocketFile } from "./socket-file.ts"
import { Door } from "./test-door.ts"
import { testTime as time } from "./test-time.ts"
import { listenUnix, sendToUnix } from "./unix-socket.ts"

const folder = mkdtempSync(join(tmpdir(), "bothways-unix-"))
afterAll(() => rmSync(folder, { recursive: true }))

const libc = openLibc({
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
})!

/** A datagram socket at `path`, which may begin with a NUL, and what has come there. */
function mailbox(path: string): { readonly fd: number; take(): string } {
  const fd = libc.socket(1, 0o2004002, 0)
  const address = new Uint8Array(new ArrayBuffer(110))
  address[0] = 1
  address.set(Buffer.from(path), 2)
  expect(libc.bind(fd, ptr(address), 2 + Buffer.byteLength(path))).toBe(0)
  const got = new Uint8Array(new ArrayBuffer(1000))
  return { fd, take: () => Buffer.from(got.buffer, 0, Math.max(0, libc.recv(fd, ptr(got), got.length, 0))).toString() }
}

test("a datagram to a socket with a file, and to one without", () => {
  for (const path of [join(folder, "notify"), `\0bothways-test-${process.pid}`]) {
    const box = mailbox(path)
    expect(sendToUnix(path, "READY=1\nMAINPID=7")).toBe(true)
    expect(box.take()).toBe("READY=1\nMAINPID=7")
    closeDescriptor(box.fd)
  }
  expect(sendToUnix(join(folder, "nobody"), "READY=1")).toBe(false)
  expect(sendToUnix("x".repeat(200), "READY=1")).toBe(false)
})

test("a path that is taken or too long is told by the system's number", () => {
  const path = join(folder, "taken.sock")
  const fd = listenUnix(path, 1)
  expect(fd).toBeGreaterThan(0)
  expect(listenUnix(path, 1)).toBe(-98)
  expect(listenUnix("x".repeat(108), 1)).toBe(-36)
  closeDescriptor(fd)
})

test("who is handed a Unix socket goes on with its queue and its file; the one before leaves both", async () => {
  const path = join(folder, "handed.sock")
  const [former, next] = [new Door(), new Door()]
  const first = listen({ bind: { path }, time }, former)
  const fd = duplicate(first.fd)
  first.release()
  const waiting = connect({ path }).on("error", () => {})
  await new Promise(resolve => waiting.once("connect", resolve))
  const second = listen({ bind: { path }, time, fd, inherited: true }, next)
  closeDescriptor(fd)
  for (let i = 0; i < 100 && next.seen.length === 0; i++) await Bun.sleep(10)
  expect([former.seen.length, next.seen.length, existsSync(path)]).toEqual([0, 1, true])
  waiting.destroy()
  second.stop()
  expect(existsSync(path)).toBe(false)
})

test("a file that another has put in its place stays", () => {
  const path = join(folder, "replaced.sock")
  const { fd, file } = openSocket({ path }, 1)
  closeDescriptor(fd)
  rmSync(path)
  writeFileSync(path, "another's")
  file!.remove()
  expect(existsSync(path)).toBe(true)
  new SocketFile(path).remove()
  expect(existsSync(path)).toBe(false)
})

test("a port: what the system picked is known, also to whoever inherits it", () => {
  const own = openSocket({ host: "127.0.0.1", port: 0 }, 1)
  expect(own.port).toBeGreaterThan(0)
  expect(inheritedSocket({ host: "127.0.0.1", port: 0 }, own.fd).port).toBe(own.port)
  expect(() => openSocket({ host: "127.0.0.1", port: own.port }, 1)).toThrow("another program has taken this port")
  closeDescriptor(own.fd)
})
