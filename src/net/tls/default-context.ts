import { createServer } from "node:tls"
import { secureOptions } from "./context.ts"
import type { ServerTls } from "./server-tls.ts"

type BorrowedServer = { _handle: unknown; setSecureContext(options: object): void }

/**
 * Keeps a listener's default context that of `tls`. The runtime lets nobody but a server of `node:tls` replace it, so one that never listens is lent the
 * listener's handle for the moment. Answers how to stop.
 */
export function followDefaultContext(listener: object, tls: ServerTls): () => void {
  return tls.onDefaultChange(() => {
    const options = secureOptions(tls.defaultOptions)
    const server = createServer(options) as unknown as BorrowedServer
    server._handle = listener
    try {
      server.setSecureContext(options)
    } finally {
      server._handle = null
    }
  })
}

/** The `tls` option of the runtime for a listening socket or for the server's side of an upgrade. */
export function listenSettings(tls: ServerTls, protocols: Buffer | undefined): object {
  const asks = tls.clientCertificates !== "off"
  return {
    secureContext: tls.defaultContext,
    ALPNProtocols: protocols,
    requestCert: asks,
    rejectUnauthorized: tls.clientCertificates === "required",
    minVersion: tls.defaultOptions.minVersion === "1.3" ? 0x0304 : 0x0303,
    maxVersion: 0x0304,
  }
}
