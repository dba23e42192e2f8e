/** Where a listener waits: an address and a port, or a Unix socket. */
export interface TcpBind {
  /** Address literal; "" = every address of the machine, IPv4 and IPv6. */
  host: string
  /** 0 = the system picks a free port. */
  port: number
}

export interface UnixBind {
  path: string
  /** Permissions of the socket file, e.g. 0o660. Default: what the umask leaves. */
  mode?: number
}

export type Bind = TcpBind | UnixBind

/** How the operator wrote it, for messages: `127.0.0.1:80`, `[::1]:80`, `:80`, `unix:/run/a.sock`. */
export function bindText(bind: Bind): string {
  if ("path" in bind) return `unix:${bind.path}`
  return bind.host.includes(":") ? `[${bind.host}]:${bind.port}` : `${bind.host}:${bind.port}`
}
