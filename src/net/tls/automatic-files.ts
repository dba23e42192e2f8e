import { existsSync } from "node:fs"
import { join } from "node:path"
import { hostNameFault, normaliseIp } from "../../base/index.ts"
import type { CertificateFiles } from "./certificate-pair.ts"

/** Certificates that are made while the listener serves. Each is one file, `bundlePath`, with the key in front of the certificate and its chain. */
export interface AutomaticCertificates {
  readonly folder: string
  /** Names that there is or soon will be a certificate for, the one for unknown clients first. */
  readonly names: readonly string[]
  /** Certificates of other names are looked for, too, when somebody asks for them. */
  readonly onDemand: boolean
}

/** Where the certificate for a name is. */
export function bundlePath(folder: string, name: string): string {
  return join(folder, `${name.replace("*", "_").replaceAll(":", "-")}.pem`)
}

/** The certificate that serves as long as there is no other. */
export function fallbackPath(folder: string): string {
  return join(folder, "temporary", "fallback.pem")
}

/** The certificate of a TLS-ALPN-01 challenge. */
export function challengePath(folder: string, name: string): string {
  return bundlePath(join(folder, "challenges", "tls-alpn-01"), name)
}

/** Both halves in one file, so that no moment sees half of a new pair. */
export function bundleFiles(path: string): CertificateFiles {
  return { cert: path, key: path }
}

/** Whether a name that a client sent can be a file's: a host name, in lower case, and no address. */
export function isCertificateName(name: string): boolean {
  return name !== "" && name === name.toLowerCase() && hostNameFault(name) === null && normaliseIp(name) === null
}

/** Bundles that the config expects and that are not there yet. */
export class AwaitedBundles {
  private waiting: readonly string[]

  constructor({ folder, names }: AutomaticCertificates) {
    this.waiting = names.map(name => bundlePath(folder, name))
  }

  /** Those that have come since, for `enter` to take; what it refuses is looked at again. */
  take(enter: (path: string) => boolean): void {
    this.waiting = this.waiting.filter(path => !(existsSync(path) && enter(path)))
  }
}
