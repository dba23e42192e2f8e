import type { KeyObject } from "node:crypto"
import type { RenewalWindow } from "../acme/renewal-info.ts"

export interface IssueRequest {
  readonly name: string
  readonly key: KeyObject
  /** PEM of the certificate that is renewed; "" = the first one. */
  readonly replaces: string
}

/** Who makes certificates: an ACME authority, or the local one. */
export interface Issuer {
  /** As messages call it. */
  readonly name: string
  /** As notes call it: the directory, or `local`. */
  readonly id: string
  /** Whether it makes certificates for such a name at all. */
  suits(name: string): boolean
  /** Gives the chain in PEM. Rejects when it makes none. */
  issue(request: IssueRequest): Promise<string>
  /** When it wants the certificate renewed; null = it does not tell. */
  renewalWindow(pem: string): Promise<RenewalWindow | null>
  close(): void
}
