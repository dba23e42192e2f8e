import type { Log } from "../../../base/index.ts"
import type { AcmeConfig } from "../../../config/index.ts"
import type { Challenge } from "../challenges/challenge.ts"
import { dnsChallenge } from "../challenges/dns-01.ts"
import { httpChallenge } from "../challenges/http-01.ts"
import { tlsAlpnChallenge } from "../challenges/tls-alpn-01.ts"
import { AcmeIssuer } from "./acme-issuer.ts"
import type { Issuer } from "./issuer.ts"
import { localIssuer } from "./local-issuer.ts"

/** The issuers of a config, in their order. */
export class Issuers {
  readonly #all: readonly Issuer[]
  readonly #local: Issuer

  /** `looked` settles when all workers have looked at the certificates' folder. */
  constructor(acme: AcmeConfig, log: Log, looked: () => Promise<void>) {
    const { directory: folder, email } = acme
    const challenges = acme.challenges.map(challenge => challengeOf(challenge, folder, log, looked))
    this.#local = localIssuer(folder, log)
    this.#all = acme.issuers.map(config => (config.url === "" ? this.#local : new AcmeIssuer(config, { folder, email, challenges })))
  }

  /** Those that issue for such a name. Where none does, for it is no public name, the local authority. */
  suiting(name: string): readonly Issuer[] {
    const suiting = this.#all.filter(issuer => issuer.suits(name))
    return suiting.length > 0 ? suiting : [this.#local]
  }

  /** By their id. */
  find(id: string): Issuer | undefined {
    return this.#all.find(issuer => issuer.id === id)
  }

  close(): void {
    for (const issuer of this.#all) issuer.close()
  }
}

function challengeOf(config: AcmeConfig["challenges"][number], folder: string, log: Log, looked: () => Promise<void>): Challenge {
  if (config.name === "http-01") return httpChallenge(folder)
  return config.name === "dns-01" ? dnsChallenge(config.options, log) : tlsAlpnChallenge(folder, looked)
}
