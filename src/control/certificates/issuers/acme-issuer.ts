import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto"
import { readDataFile } from "../../../base/index.ts"
import { isPublicName, type IssuerConfig } from "../../../config/index.ts"
import { Account } from "../acme/account.ts"
import { AcmeClient } from "../acme/acme-client.ts"
import { AcmeProblem } from "../acme/acme-problem.ts"
import { HttpsClient } from "../acme/https-client.ts"
import { order, ProofFailed } from "../acme/order.ts"
import { certificateId, renewalWindow } from "../acme/renewal-info.ts"
import type { Challenge } from "../challenges/challenge.ts"
import { covers } from "../store/certificate-folder.ts"
import type { IssueRequest, Issuer } from "./issuer.ts"

export interface AcmeIssuerParts {
  /** The certificate directory. */
  readonly folder: string
  readonly email: string | null
  readonly challenges: readonly Challenge[]
}

const TIMEOUT_MS = 20_000

/** An authority that speaks ACME (RFC 8555). */
export class AcmeIssuer implements Issuer {
  readonly name: string
  readonly id: string
  readonly #config: IssuerConfig
  readonly #parts: AcmeIssuerParts
  #session: { readonly http: HttpsClient; readonly client: AcmeClient; readonly account: Account } | null = null
  #opening: Promise<void> | null = null

  constructor(config: IssuerConfig, parts: AcmeIssuerParts) {
    this.name = config.name
    this.id = config.url
    this.#config = config
    this.#parts = parts
  }

  suits(name: string): boolean {
    return !this.#config.isPublic || isPublicName(name)
  }

  async issue(request: IssueRequest): Promise<string> {
    const client = await this.#open()
    try {
      return await this.#order(client, request)
    } catch (error) {
      // An authority for tests forgets everything when it is started anew.
      if (!(error instanceof AcmeProblem) || error.kind !== "accountDoesNotExist") throw error
      this.#session!.account.forget()
      this.#opening = null
      return this.#order(await this.#open(), request)
    }
  }

  async renewalWindow(pem: string): ReturnType<Issuer["renewalWindow"]> {
    return renewalWindow(this.#client(), pem)
  }

  close(): void {
    this.#session?.http.close()
  }

  #client(): AcmeClient {
    if (this.#session === null) {
      const { ca, url } = this.#config
      const http = new HttpsClient(ca === null ? null : readDataFile(ca), TIMEOUT_MS)
      const account = new Account(this.#parts.folder, this.#config, this.#parts.email)
      this.#session = { http, account, client: new AcmeClient(http, url, account.key) }
    }
    return this.#session.client
  }

  /** Registered once, however many orders begin at the same time. */
  async #open(): Promise<AcmeClient> {
    const client = this.#client()
    this.#opening ??= this.#session!.account.open(client).catch((error: unknown) => {
      this.#opening = null
      throw error
    })
    await this.#opening
    return client
  }

  /** Tries one challenge behind the other. */
  async #order(client: AcmeClient, { name, key, replaces }: IssueRequest): Promise<string> {
    const suitable = this.#parts.challenges.filter(challenge => challenge.suits(name))
    if (suitable.length === 0) throw new AcmeProblem("", `none of acme.challenges can prove ${name}`)
    const failures: string[] = []
    for (const challenge of suitable) {
      try {
        const chain = await order(client, { name, key, challenge, profile: this.#config.profile, replaces: idOf(replaces) })
        return checked(chain, name, key)
      } catch (error) {
        if (!(error instanceof ProofFailed)) throw error
        failures.push(error.message)
      }
    }
    throw new AcmeProblem("", failures.join("; "))
  }
}

function idOf(pem: string): string {
  return pem === "" ? "" : certificateId(pem)
}

/** Nobody serves what does not fit. */
function checked(chain: string, name: string, key: KeyObject): string {
  const certificate = new X509Certificate(chain)
  const own = createPublicKey(key).export({ type: "spki", format: "der" })
  if (!certificate.publicKey.export({ type: "spki", format: "der" }).equals(own)) throw new AcmeProblem("", "its certificate is for another key")
  if (!covers(certificate, name)) throw new AcmeProblem("", `its certificate is not for ${name}`)
  return chain
}
