import type { RawSocket } from "./raw-socket.ts"
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts"

/** What an ICAP client asked, as a test sees it. */
export interface IcapQuestion {
  readonly head: string
  readonly method: string
  /** The encapsulated header sections, one after the other. */
  readonly message: string
  readonly body: string
  /** The body ended within its preview. */
  readonly whole: boolean
}

/** What the script answers: ICAP octets; for a preview that is not whole "100" asks for the rest. */
export type IcapScript = (question: IcapQuestion) => string

export interface ScriptedIcap extends AsyncDisposable {
  readonly port: number
  readonly questions: IcapQuestion[]
  readonly server: ScriptedServer
  connections: number
}

export const UNCHANGED = "ICAP/1.0 204 No Content\r\n\r\n"
export const CONTINUE = "ICAP/1.0 100 Continue\r\n\r\n"

/** An answer of the server's own in the place of the message. */
export function icapResponse(head: string, body: string, fields = ""): string {
  return `ICAP/1.0 200 OK\r\n${fields}Encapsulated: res-hdr=0, res-body=${head.length}\r\n\r\n${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
}

export function icapRequest(head: string, body: string | null = null): string {
  const last = body === null ? `null-body=${head.length}` : `req-body=${head.length}`
  return `ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, ${last}\r\n\r\n${head}${body === null ? "" : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`}`
}

/** A scripted ICAP server; OPTIONS says `options`. */
export async function scriptedIcap(script: IcapScript, options = "Methods: REQMOD, RESPMOD\r\nAllow: 204\r\nPreview: 16\r\n"): Promise<ScriptedIcap> {
  const questions: IcapQuestion[] = []
  const out = { connections: 0 }
  const server = await scriptedServer(async connection => {
    out.connections++
    for (;;) {
      const head = await connection.head()
      const method = head.split(" ", 1)[0]!
      if (method === "OPTIONS") {
        connection.send(`ICAP/1.0 200 OK\r\n${options}Encapsulated: null-body=0\r\n\r\n`)
        continue
      }
      await answer(connection, head, method)
    }
  })
  async function answer(connection: RawSocket, head: string, method: string): Promise<void> {
    const sections = /Encapsulated: (.*)\r\n/.exec(head)![1]!.split(", ")
    const [last, at] = sections.at(-1)!.split("=") as [string, string]
    const message = await connection.bytes(Number(at))
    const first = last === "null-body" ? { body: "", whole: true } : await chunks(connection)
    let question: IcapQuestion = { head, method, message, ...first }
    questions.push(question)
    let said = script(question)
    if (said === CONTINUE) {
      connection.send(said)
      question = { ...question, body: question.body + (await chunks(connection)).body, whole: true }
      questions.push(question)
      said = script(question)
    }
    connection.send(said)
  }
  return Object.assign(out, { port: server.port, questions, server, [Symbol.asyncDispose]: () => server.close() })
}

async function chunks(connection: RawSocket): Promise<{ body: string; whole: boolean }> {
  let body = ""
  for (;;) {
    const line = (await connection.through("\r\n")).trim()
    const length = Number.parseInt(line, 16)
    if (length === 0) {
      await connection.through("\r\n")
      return { body, whole: line.includes("ieof") }
    }
    body += await connection.bytes(length)
    await connection.through("\r\n")
  }
}
