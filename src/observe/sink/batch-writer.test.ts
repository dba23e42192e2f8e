import { describe, expect, test } from "bun:test"
import { type BatchOutput, BatchWriter, type WriteDone } from "./batch-writer.ts"

/** A target whose answers the test gives: at once, or when it says so. */
class FakeOutput implements BatchOutput {
  batchBytesMax = 100
  readonly writes: string[] = []
  reopened = 0
  isClosed = false
  answer: (data: Buffer, from: number, done: WriteDone) => void = (data, _, done) => done(null, data.length)
  write(data: Buffer, from: number, done: WriteDone): void {
    this.writes.push(data.toString("latin1", from))
    this.answer(data, from, done)
  }
  reopen(): void {
    this.reopened++
  }
  close(): void {
    this.isClosed = true
  }
}

const quick = { flushMs: 5, fullMs: 1, brokenMs: 5, closeMs: 50 }

function make(limits = {}) {
  const output = new FakeOutput()
  const errors: string[] = []
  const writer = new BatchWriter(output, error => errors.push(error.message), { ...quick, ...limits })
  return { output, errors, writer }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await Bun.sleep(1)
  expect(condition()).toBe(true)
}

describe("BatchWriter", () => {
  test("lines wait for others and leave in one write", async () => {
    const { output, writer } = make()
    writer.write("a\n")
    writer.write("b\n")
    expect(output.writes).toEqual([])
    await until(() => output.writes.length > 0)
    expect(output.writes).toEqual(["a\nb\n"])
    writer.write("c\n")
    await until(() => output.writes.length > 1)
    expect(output.writes[1]).toBe("c\n")
  })

  test("enough lines leave at once, cut at the ends of lines", () => {
    const { output, writer } = make({ flushBytes: 250 })
    for (let i = 0; i < 10; i++) writer.write(`${"x".repeat(29)}\n`)
    expect(output.writes.map(text => text.length)).toEqual([90, 90, 90])
    expect(output.writes.every(text => text.endsWith("\n"))).toBe(true)
  })

  test("a line larger than a batch goes by itself", async () => {
    const { output, writer } = make()
    writer.write("a\n")
    writer.write(`${"y".repeat(150)}\n`)
    writer.write("b\n")
    await writer.close()
    expect(output.writes.map(text => text.length)).toEqual([2, 151, 2])
  })

  test("a target that takes a part gets the rest, one that is full is asked again", async () => {
    const { output, writer } = make()
    let calls = 0
    output.answer = (data, from, done) => done(null, ++calls % 2 === 0 ? from : Math.min(from + 3, data.length))
    writer.write("12345678\n")
    await writer.close()
    expect(output.writes).toEqual(["12345678\n", "45678\n", "45678\n", "78\n", "78\n"])
    expect(writer.dropped()).toBe(0)
    expect(output.isClosed).toBe(true)
  })

  test("while a write is on its way lines collect in large batches", async () => {
    const { output, writer } = make({ flushBytes: 20 })
    let pending: (() => void) | null = null
    output.answer = (data, _, done) => {
      pending = () => done(null, data.length)
    }
    for (let i = 0; i < 40; i++) writer.write("123456789\n")
    expect(output.writes).toHaveLength(1)
    while (pending !== null) {
      const go: () => void = pending
      pending = null
      go()
    }
    expect(output.writes.map(text => text.length)).toEqual([20, 100, 100, 100, 80])
  })

  test("a queue that is full drops whole lines and counts them", async () => {
    const { output, writer } = make({ queueBytesMax: 50, flushBytes: 10 })
    output.answer = (_, from, done) => done(null, from)
    for (let i = 0; i < 12; i++) writer.write("123456789\n")
    expect(writer.dropped()).toBe(6) // 10 octets are being sent, 50 wait
    output.answer = (data, _, done) => done(null, data.length)
    await writer.close()
    expect(output.writes.at(-1)).toBe("123456789\n".repeat(5))
    expect(writer.dropped()).toBe(6)
  })

  test("a failed write is reported and tried again later; nothing is lost meanwhile", async () => {
    const { output, errors, writer } = make()
    output.answer = (_, from, done) => done(new Error("ENOSPC"), from)
    writer.write("a\n")
    await until(() => errors.length >= 2)
    writer.write("b\n")
    output.answer = (data, _, done) => done(null, data.length)
    await writer.close()
    expect(output.writes.slice(-2)).toEqual(["a\n", "b\n"])
    expect(writer.dropped()).toBe(0)
  })

  test("close gives up on a target that takes nothing and counts what is lost", async () => {
    const { output, writer } = make()
    output.answer = (_, from, done) => done(null, from)
    writer.write("a\n")
    writer.write(`${"b".repeat(120)}\n`)
    writer.write("c\n")
    const started = performance.now()
    await writer.close()
    expect(performance.now() - started).toBeLessThan(1000)
    expect(writer.dropped()).toBe(3)
    expect(output.isClosed).toBe(true)
    writer.write("late\n")
    expect(writer.dropped()).toBe(4)
  })

  test("an output may go back to write a line whole", async () => {
    const { output, writer } = make()
    let calls = 0
    output.answer = (data, from, done) => {
      calls++
      if (calls === 1) done(null, 6)
      else if (calls === 2) done(null, from - 2)
      else done(null, data.length)
    }
    writer.write("one\n")
    writer.write("two\n")
    await writer.close()
    expect(output.writes).toEqual(["one\ntwo\n", "o\n", "two\n"])
  })

  test("reopen writes what waits to the new target", async () => {
    const { output, writer } = make({ flushMs: 10_000 })
    writer.write("a\n")
    writer.reopen()
    expect(output.reopened).toBe(1)
    expect(output.writes).toEqual(["a\n"])
    await writer.close()
  })

  test("a line after a reopening with nothing to write comes in its time", async () => {
    const { output, writer } = make()
    writer.reopen()
    writer.write("a\n")
    await until(() => output.writes.length > 0)
    expect(output.writes).toEqual(["a\n"])
  })

  test("a line after a flush that found nothing left comes in its time", async () => {
    const { output, writer } = make({ flushBytes: 4 })
    writer.write("a\n")
    writer.write("b\n")
    expect(output.writes).toEqual(["a\nb\n"])
    // Longer than the flush that the first line asked for.
    await Bun.sleep(20)
    writer.write("c\n")
    await until(() => output.writes.length > 1)
    expect(output.writes[1]).toBe("c\n")
  })

  test("closing twice or with nothing to write settles", async () => {
    const { output, writer } = make()
    await Promise.all([writer.close(), writer.close()])
    expect(output.isClosed).toBe(true)
  })
})
