import { createHash, createPrivateKey, type KeyObject } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { IssuerConfig } from "../../../config/index.ts"
import { keyPem, makeKey } from "../../../net/index.ts"
import { writePrivate } from "../store/write-private.ts"
import type { AcmeClient } from "./acme-client.ts"
import { AcmeProblem } from "./acme-problem.ts"
import { bindAccount } from "./jws.ts"

interface AccountFile {
  readonly directory: string
  /** The address of the account; "" = not registered. */
  readonly url: string
  readonly email: string
  /** PEM. */
  readonly key: string
}

/** The account with one issuer: a key that is kept in a file, and the address that the issuer gave it. */
export class Account {
  readonly key: KeyObject
  readonly #path: string
  readonly #issuer: IssuerConfig
  readonly #email: string
  #file: AccountFile

  /** Reads the file, or makes a key. Throws when the file cannot be read. */
  constructor(folder: string, issuer: IssuerConfig, email: string | null) {
    const id = createHash("sha256").update(issuer.url).digest("hex").slice(0, 8)
    this.#path = join(folder, "accounts", `${issuer.name.replace(/[^A-Za-z0-9.-]/g, "-")}-${id}.json`)
    this.#issuer = issuer
    this.#email = email ?? ""
    this.#file = existsSync(this.#path)
      ? (JSON.parse(readFileSync(this.#path, "utf8")) as AccountFile)
      : { directory: issuer.url, url: "", email: "", key: keyPem(makeKey("p256")) }
    this.key = createPrivateKey(this.#file.key)
  }

  /** Registers where that has not been done, tells of another e-mail address, and lets `client` speak in the account's name. */
  async open(client: AcmeClient): Promise<void> {
    if (this.#file.url === "") return this.#register(client)
    client.kid = this.#file.url
    if (this.#file.email === this.#email) return
    await client.post(this.#file.url, { contact: this.#contact() })
    this.#keep(this.#file.url)
  }

  /** The issuer does not know it any more. */
  forget(): void {
    this.#file = { ...this.#file, url: "" }
  }

  async #register(client: AcmeClient): Promise<void> {
    const { newAccount, meta } = await client.directory()
    const { eab } = this.#issuer
    if (eab === null && meta?.externalAccountRequired === true)
      throw new AcmeProblem("externalAccountRequired", "the issuer wants acme.issuers[].eab")
    const binding = eab === null ? {} : { externalAccountBinding: bindAccount(this.key, newAccount, eab) }
    const reply = await client.post(newAccount, { termsOfServiceAgreed: true, contact: this.#contact(), ...binding }, true)
    if (reply.location === "") throw new AcmeProblem("", "it gives the account no address")
    client.kid = reply.location
    this.#keep(reply.location)
  }

  #contact(): string[] {
    return this.#email === "" ? [] : [`mailto:${this.#email}`]
  }

  #keep(url: string): void {
    this.#file = { ...this.#file, url, email: this.#email }
    writePrivate(this.#path, JSON.stringify(this.#file, null, 2))
  }
}
