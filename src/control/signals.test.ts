import { EventEmitter } from "node:events"
import { expect, test } from "bun:test"
import { handleSignals, type SignalSource } from "./signals.ts"

function recorded() {
  const source = new EventEmitter()
  const done: string[] = []
  const untie = handleSignals(
    {
      drain: signal => void done.push(`drain ${signal}`),
      stop: () => void done.push("stop"),
      reload: () => void done.push("reload"),
      reopenLogs: () => void done.push("reopen"),
      upgrade: () => void done.push("upgrade"),
    },
    source as SignalSource,
  )
  return { source, done, untie }
}

test("each signal does what it is for", () => {
  const { source, done } = recorded()
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGTERM"]) source.emit(signal)
  expect(done).toEqual(["reload", "reopen", "upgrade", "drain SIGTERM", "drain SIGTERM"])
})

test("the first SIGINT drains, the second stops at once", () => {
  const { source, done } = recorded()
  source.emit("SIGINT")
  source.emit("SIGINT")
  expect(done).toEqual(["drain SIGINT", "stop"])
})

test("untied, signals mean nothing any more", () => {
  const { source, done, untie } = recorded()
  untie()
  source.emit("SIGTERM")
  expect(done).toEqual([])
  expect(source.listenerCount("SIGTERM")).toBe(0)
})
