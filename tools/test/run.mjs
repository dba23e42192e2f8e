import { spawn } from "node:child_process"

const groups = new Set()
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    for (const pid of groups) killGroup(pid)
    process.exit(1)
  })
}

/** Runs a command in a process group of its own, so that a time-out takes along whatever it started. Gives { code, output, seconds, late }. */
export function run(command, args, { timeoutMs, env = {} }) {
  return new Promise(resolve => {
    const startedAt = Date.now()
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...process.env, ...env } })
    let output = ""
    let late = false
    const done = code => {
      clearTimeout(timer)
      groups.delete(child.pid)
      resolve({ code, output, late, seconds: (Date.now() - startedAt) / 1000 })
    }
    const timer = setTimeout(() => {
      late = true
      killGroup(child.pid)
    }, timeoutMs)
    groups.add(child.pid)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", text => {
        output += text
      })
    }
    child.once("error", error => {
      output += error.message
      done(127)
    })
    // What it left behind would keep the pipes open.
    child.once("exit", () => killGroup(child.pid))
    child.once("close", (code, signal) => done(code ?? signal))
  })
}

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // Gone already.
  }
}

/** Works through `jobs`, functions that return promises, `width` at a time. */
export async function inParallel(jobs, width) {
  const queue = [...jobs]
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: width }, worker))
}
