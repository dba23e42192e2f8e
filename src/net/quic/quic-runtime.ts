import type { KeyObject, X509Certificate } from "node:crypto"

// The parts of the runtime's `node:quic` that are used, as they are in Bun 1.4.5; the published types describe another cut of it.

export interface NativeAddress {
  readonly address: string
  readonly port: number
}

export interface NativeIdentity {
  keys: readonly KeyObject[]
  certs: readonly Uint8Array[]
  /** False keeps the name out of the ORIGIN frame (RFC 8336), which would invite a client to ask for it here. */
  authoritative?: boolean
}

export interface NativeEndpoint {
  readonly address: NativeAddress | undefined
  readonly destroyed: boolean
  readonly listening: boolean
  readonly closed: Promise<void>
  /** Takes no new connections and ends when the last one does. */
  close(): Promise<void>
  destroy(): Promise<void>
  setSNIContexts(identities: Record<string, NativeIdentity>, options: { replace: boolean }): void
}

export interface NativeHandshake {
  readonly servername: string | undefined
  readonly protocol: string | undefined
  readonly cipherVersion: string
  readonly validationErrorReason: string | undefined
  readonly validationErrorCode: string | undefined
  readonly earlyDataAccepted: boolean
}

export interface NativeCloseOptions {
  code: bigint
  type: "application" | "transport"
  reason?: string
}

export interface NativeSession {
  readonly path: { readonly local: NativeAddress; readonly remote: NativeAddress } | undefined
  readonly peerCertificate: X509Certificate | undefined
  readonly stats: { readonly bytesReceived: bigint; readonly bytesSent: bigint }
  readonly remoteTransportParams: { readonly initialMaxStreamsBidi: bigint } | null | undefined
  readonly destroyed: boolean
  readonly closing: boolean
  readonly maxDatagramSize: number
  /** Datagrams that wait to be sent; beyond them the oldest is dropped. 128 unless it is set. */
  maxPendingDatagrams: number
  readonly opened: Promise<NativeHandshake>
  readonly closed: Promise<void>
  onerror: (error: NativeError) => void
  onstream: (stream: NativeStream) => void
  onhandshake: (info: NativeHandshake) => void
  ondatagram: (data: Uint8Array, early: boolean) => void
  ongoaway: () => void
  onpathvalidation: (result: string, newLocal: NativeAddress, newRemote: NativeAddress) => void
  onsessionticket: (ticket: Uint8Array) => void
  createBidirectionalStream(options: object): Promise<NativeStream>
  sendDatagram(data: Uint8Array): Promise<bigint>
  /** Without a code: GOAWAY, and the end when all streams have ended. */
  close(options?: NativeCloseOptions): Promise<void>
  destroy(error?: undefined, options?: NativeCloseOptions): void
}

export type FieldBlock = Record<string, string | string[]>

export interface NativeWriter {
  /** null = nothing can be written any more. */
  readonly desiredSize: number | null
  writeSync(chunk: Uint8Array): boolean
  endSync(): number
}

export interface NativeStream extends AsyncIterable<Uint8Array[]> {
  readonly id: bigint
  readonly destroyed: boolean
  /** It waits until the peer allows one more. */
  readonly pending: boolean
  /** It came in 0-RTT data. */
  readonly early: boolean
  readonly closed: Promise<void>
  readonly writer: NativeWriter
  pendingTrailers: FieldBlock | undefined
  onerror: (error: NativeError) => void
  onreset: (error: NativeError) => void
  onheaders: (fields: FieldBlock) => void
  oninfo: (fields: FieldBlock) => void
  ontrailers: (fields: FieldBlock) => void
  onwanttrailers: () => void
  sendHeaders(fields: FieldBlock, options?: { terminal: boolean }): boolean
  /** The whole body, copied, and the end. */
  setBody(body: Uint8Array): void
  sendInformationalHeaders(fields: FieldBlock): boolean
  resetStream(code: bigint): void
  stopSending(code: bigint): void
  destroy(): void
}

export interface NativeError extends Error {
  readonly code?: string
  readonly errorCode?: bigint
}

export interface QuicRuntime {
  readonly QuicEndpoint: new (options: object) => NativeEndpoint
  listen(onSession: (session: NativeSession) => void, options: object): Promise<NativeEndpoint>
  connect(address: { address: string; port: number; family: string }, options: object): Promise<NativeSession>
}

let loaded: QuicRuntime | null = null

/** Loads the module when it is wanted first: it warns of itself when it is loaded, and nobody who does without should read that, nor anybody else. */
export function quicRuntime(): QuicRuntime {
  if (loaded !== null) return loaded
  const { emitWarning } = process
  process.emitWarning = noop
  try {
    loaded = process.getBuiltinModule("node:quic") as unknown as QuicRuntime
  } finally {
    process.emitWarning = emitWarning
  }
  return loaded
}

export function noop(): void {}

/** The peer's or the runtime's word on why something ended. */
export function errorText(error: NativeError | null | undefined): string {
  return error === null || error === undefined ? "" : error.message
}

/** An application error code as a number; -1 when there is none. */
export function errorCode(error: NativeError | null | undefined): number {
  const code = error?.errorCode
  return code === undefined ? -1 : Number(code)
}
