import { type Address, formatAddress, type TcpAddress, type UnixAddress } from "../base/index.ts"

/** Where a listener waits. `host` "" = every address of the machine, IPv4 and IPv6; `port` 0 = the system picks a free one. */
export type Bind = Address
export type TcpBind = TcpAddress
export type UnixBind = UnixAddress

/** How the operator wrote it, for messages: `127.0.0.1:80`, `[::1]:80`, `:80`, `unix:/run/a.sock`. */
export const bindText: (bind: Bind) => string = formatAddress
