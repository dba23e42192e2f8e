/** What has to be shown for a name. */
export interface Proof {
  readonly name: string
  readonly token: string
  /** The token and the account's thumbprint (RFC 8555 section 8.1). */
  readonly authorization: string
  /** SHA-256 of `authorization`. */
  readonly digest: Buffer
}

/** A way to prove control of a name. */
export interface Challenge {
  /** As issuers call it. */
  readonly type: "http-01" | "tls-alpn-01" | "dns-01"
  /** Whether it can prove this name. */
  suits(name: string): boolean
  /** Settles when whoever asks sees the proof; what it gives takes the proof away again and never rejects. */
  present(proof: Proof): Promise<() => Promise<void>>
}
