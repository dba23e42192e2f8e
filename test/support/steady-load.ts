import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"

// A program: clients that ask without a pause until they are told to stop (standard input ends), and what became of their requests, as JSON on standard
// output. Argument: Plan as JSON. Run it as a process of its own, so that nothing that a test does slows it down.

/** How many clients of each kind. */
export interface Plan {
  /** A port on loopback, or the path of a Unix socket. */
  readonly at: number | string
  readonly tls: boolean
  /** Keep their connection, and ask again after `pauseMs` at most. */
  readonly kept: number
  readonly pauseMs: number
  /** A connection for each request. */
  readonly fresh: number
}

export interface Tally {
  requests: number
  connections: number
  /** Answers that said that the connection ends. */
  lastAnswers: number
  /** What went wrong, with counts. */
  readonly failures: Record<string, number>
}

const tally: Tally = { requests: 0, connections: 0, lastAnswers: 0, failures: {} }
let stopping = false

function fail(kind: string): void {
  tally.failures[kind] = (tally.failures[kind] ?? 0) + 1
}

function open({ at, tls }: Plan): Socket {
  tally.connections++
  if (tls) return connectTls({ port: at as number, host: "127.0.0.1", servername: "a.test", rejectUnauthorized: false })
  return typeof at === "string" ? connect(at) : connect(at, "127.0.0.1")
}

/** Lives as long as its connection. */
function visit(plan: Plan, keep: boolean): Promise<void> {
  return new Promise(resolve => {
    const socket = open(plan)
    let got = ""
    let asked = false
    let answers = 0
    let answeredAt = performance.now()
    let timer: ReturnType<typeof setTimeout> | undefined
    const kind = `${plan.tls ? "TLS" : typeof plan.at === "string" ? "Unix" : "plain"} ${keep ? "kept" : "fresh"}`
    const ask = (): void => {
      asked = !stopping
      if (stopping) return void socket.end()
      got = ""
      socket.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${keep ? "" : "Connection: close\r\n"}\r\n`)
    }
    const answered = (): void => {
      asked = false
      answers++
      answeredAt = performance.now()
      tally.requests++
      if (!got.startsWith("HTTP/1.1 200")) fail(`${kind}: ${got.slice(0, 30).split("\r\n")[0]}`)
      if (/^connection: close/im.test(got)) {
        tally.lastAnswers++
        return void socket.end()
      }
      timer = setTimeout(ask, Math.random() * plan.pauseMs)
    }
    // Who connects has something to ask: a connection that fails or is reset is a request that failed.
    asked = true
    socket.once(plan.tls ? "secureConnect" : "connect", ask)
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString("latin1")
      const head = got.indexOf("\r\n\r\n")
      const length = /^content-length: (\d+)/im.exec(got)
      if (head >= 0 && length !== null && got.length >= head + 4 + Number(length[1])) answered()
    })
    socket.once("error", error => {
      if (asked) fail(`${kind}: ${(error as NodeJS.ErrnoException).code} after ${got.length} octets, asked`)
      asked = false
    })
    socket.once("end", () => socket.end())
    socket.once("close", () => {
      clearTimeout(timer)
      // A client must expect the end of a connection on which it has nothing asked (RFC 9112 section 9.5).
      if (asked)
        fail(`${kind}: closed after ${got.length} octets and ${answers} answers, ${Math.round(performance.now() - answeredAt)} ms after the last`)
      resolve()
    })
  })
}

async function live(plan: Plan, keep: boolean): Promise<void> {
  while (!stopping) await visit(plan, keep)
}

if (import.meta.main) {
  const plans = JSON.parse(process.argv[2]!) as Plan[]
  process.stdin.on("end", () => (stopping = true)).resume()
  const lives = plans.flatMap(plan => [
    ...Array.from({ length: plan.kept }, () => live(plan, true)),
    ...Array.from({ length: plan.fresh }, () => live(plan, false)),
  ])
  const told = setInterval(() => stopping && setTimeout(() => process.exit(3), 15_000).unref(), 500)
  await Promise.all(lives)
  clearInterval(told)
  process.stdout.write(`${JSON.stringify(tally)}\n`)
  process.exit(0)
}
