import { createSecureContext, type SecureContextOptions } from "node:tls"

export type TlsVersion = "1.2" | "1.3"

/** The runtime's handle on a set of TLS settings (an SSL_CTX), which its sockets take as they are. */
export type NativeContext = { readonly __nativeContext: true }

export interface ContextOptions {
  ca?: string | string[]
  cert?: string
  key?: string
  minVersion?: TlsVersion
  /** OpenSSL's notation; TLS 1.2 and older only. */
  ciphers?: string
  requestCert?: boolean
  rejectUnauthorized?: boolean
}

/** Builds a context; throws when the parts are not usable or do not fit together. */
export function nativeContext(options: ContextOptions): NativeContext {
  return createSecureContext(secureOptions(options)).context as NativeContext
}

/** The same in `node:tls` words. */
export function secureOptions(options: ContextOptions): SecureContextOptions {
  const { ca, cert, key, ciphers, requestCert, rejectUnauthorized } = options
  const minVersion = options.minVersion === "1.3" ? "TLSv1.3" : "TLSv1.2"
  // The type packages leave out the two about client certificates; the runtime builds them into the context.
  return { ca, cert, key, ciphers, minVersion, requestCert, rejectUnauthorized, honorCipherOrder: false } as SecureContextOptions
}

/** A protocol list as it stands in the handshake: each name behind its length (RFC 7301 section 3.1). */
export function alpnWireFormat(protocols: readonly string[]): Buffer | undefined {
  if (protocols.length === 0) return undefined
  return Buffer.concat(protocols.map(name => Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1")])))
}
