import type { Message } from "./message.ts"
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts"
import { until } from "./wait.ts"

/** An upstream that keeps the requests that reached it. */
export interface Recorder extends AsyncDisposable {
  readonly server: ScriptedServer
  /** `127.0.0.1:port`. */
  readonly address: string
  readonly port: number
  readonly requests: Message[]
  /** The request of this index, once it has come. */
  request(index?: number): Promise<Message>
}

/** What it answers when nothing else is asked for. */
export const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/** Starts one. `answer` is sent for every request, or made from it; "" answers nothing. The connection is kept. */
export async function recorder(answer: string | ((request: Message) => string) = okResponse): Promise<Recorder> {
  const requests: Message[] = []
  const server = await scriptedServer(async connection => {
    while (true) {
      const request = await connection.request(3_600_000)
      requests.push(request)
      const response = typeof answer === "string" ? answer : answer(request)
      if (response !== "") connection.send(response)
    }
  })
  return {
    server,
    requests,
    address: server.address,
    port: server.port,
    request: (index = 0) => until(() => requests[index], undefined, `request ${index} to the upstream`),
    [Symbol.asyncDispose]: () => server.close(),
  }
}
