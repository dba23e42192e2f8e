import { type Address, formatAddress } from "../base/index.ts"

/** An address that cannot be listened on. `message` is for the operator; `code` is the system's word (EADDRINUSE, EACCES …). */
export class ListenError extends Error {
  override name = "ListenError"
  readonly code: string
  readonly bind: Address

  constructor(bind: Address, code: string, cause?: unknown) {
    super(`cannot listen on ${formatAddress(bind)}: ${reasonOf(bind, code)}`, { cause })
    this.code = code
    this.bind = bind
  }
}

function reasonOf(bind: Address, code: string): string {
  const local = "path" in bind
  if (code === "EADDRINUSE") return local ? "another program answers on this socket" : "another program has taken this port"
  if (code === "EACCES" || code === "EPERM")
    return local ? "no right to write to its folder" : "no right to take this port (one below 1024 needs root or CAP_NET_BIND_SERVICE)"
  if (code === "ENOTRANSPARENT") return "connections to other machines' addresses (tproxy) need Linux, and root or CAP_NET_ADMIN"
  if (code === "EADDRNOTAVAIL") return "this machine does not have the address"
  if (code === "EAFNOSUPPORT") return "this machine does not speak this kind of address (is IPv6 off?)"
  if (code === "ENOENT") return local ? "its folder does not exist" : "no such address"
  if (code === "ENOTSOCK") return "the file is there and is no socket"
  if (code === "EINVAL" || code === "ENAMETOOLONG") return local ? "the path is too long for a socket (107 octets)" : "this is no address"
  if (code === "EMFILE" || code === "ENFILE") return "no descriptor is left (raise the limit, `ulimit -n`)"
  return code
}
