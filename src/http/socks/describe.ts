// HOT
import type { Message } from "../message.ts"
import { NAME } from "../names.ts"

const FIELD = "Proxy-Authorization: "

/** Says in fields what HTTP would have said beside the target: what is sent to a parent, and what the listener's log-in reads. The authority has been read, so it holds no line break. */
export function describe({ authority, request }: Message, credentials: string): void {
  const host = `Host: ${authority}\r\n`
  request.reset(credentials === "" ? host : `${host}${FIELD}${credentials}\r\n`)
  request.push(NAME.host, 0, 4, 6, host.length - 2)
  request.end = request.raw.length
  const at = host.length
  if (credentials !== "") request.push(NAME.proxyAuthorization, at, at + FIELD.length - 2, at + FIELD.length, request.end - 2)
}
