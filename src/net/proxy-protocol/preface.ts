/** One end of the connection that a preface tells of. */
export interface Endpoint {
  /** Address literal as `normaliseIp` writes it, or `unix:` with the path of the socket (nothing behind it when the socket has no name). */
  readonly address: string
  /** 0 for a Unix socket. */
  readonly port: number
}

/** What the first octets of a connection say in the PROXY protocol, version 1 or 2 (HAProxy, doc/proxy-protocol.txt, 2020/03/05). */
export type Preface =
  /** So far it may become one: read on. */
  | { readonly status: "incomplete" }
  /** It cannot become one: close the connection (section 2, "the receiver MUST … abort the connection"). */
  | { readonly status: "invalid"; readonly reason: string }
  | {
      readonly status: "ok"
      readonly version: 1 | 2
      /** Octets of the preface; what follows belongs to the application. */
      readonly length: number
      /** Null = the proxy speaks for itself (LOCAL) or does not know (UNKNOWN, UNSPEC, UDP): the connection's own addresses count. Both are null or neither is. */
      readonly source: Endpoint | null
      readonly destination: Endpoint | null
    }

export const incomplete: Preface = { status: "incomplete" }

export function invalid(reason: string): Preface {
  return { status: "invalid", reason }
}

/** The twelve octets that begin version 2; no version 1 line and no request of a known protocol begins so. */
export const SIGNATURE_V2: Uint8Array = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
