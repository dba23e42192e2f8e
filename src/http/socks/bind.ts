// HOT
import type { Message } from "../message.ts"

/** Status of the interim response that tells where a peer is waited for; its lines are "host:port". Never on the wire: SOCKS has replies of its own. */
export const BOUND = 199

/** A request to wait for a connection from the host that it names, which only SOCKS makes: WebDAV has a method of this name, by other versions (RFC 5842). */
export function asksToBind({ method, version }: Message): boolean {
  return version < 10 && method === "BIND"
}
