import { readFileSync, statSync } from "node:fs"
import { connect, type PeerCertificate } from "node:tls"
import { join } from "node:path"
import { type Bothways, type BothwaysOptions, startBothways } from "../../support/bothways.ts"
import { freePorts } from "../../support/ports.ts"
import { temporaryFolder } from "../../support/processes.ts"
import { patienceMs, until, within } from "../../support/wait.ts"

export interface Certified {
  readonly name: string
  readonly state: string
  readonly issuer: string
  readonly validTo: string
  readonly retryAt: string
  readonly lastError: string
}

/** Ports and a directory that outlive the proxy. */
export class Site {
  readonly http: number
  readonly https: number
  readonly directory = temporaryFolder("acme")

  private constructor(http: number, https: number) {
    this.http = http
    this.https = https
  }

  static async make(): Promise<Site> {
    const [http, https] = (await freePorts(2)) as [number, number]
    return new Site(http, https)
  }

  /** A config that serves `hosts` with automatic certificates. `listen`: more of the TLS listener. */
  config(hosts: readonly string[], acme: object, listen: object = {}): object {
    return {
      listeners: {
        secure: { bind: `127.0.0.1:${this.https}`, tls: "auto", ...listen },
        web: { bind: `127.0.0.1:${this.http}` },
      },
      acme: { directory: this.directory, ...acme },
      routes: [{ ...(hosts.length > 0 && { match: { host: hosts } }), to: { respond: { body: "served" } } }],
    }
  }

  start(hosts: readonly string[], acme: object, listen: object = {}, options: BothwaysOptions = {}): Promise<Bothways> {
    return startBothways(this.config(hosts, acme, listen), options)
  }

  /** What a client sees that asks for `name`. */
  async shown(name: string, ca?: string): Promise<PeerCertificate & { authorized: boolean }> {
    const socket = connect({ host: "127.0.0.1", port: this.https, servername: name, rejectUnauthorized: false, ...(ca !== undefined && { ca }) })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.once("secureConnect", () => resolve())
    socket.once("error", reject)
    try {
      await within(promise, patienceMs * 2, () => `no handshake for ${name}`)
      return { ...socket.getPeerCertificate(), authorized: socket.authorized }
    } finally {
      socket.destroy()
    }
  }

  bundle(name: string): string {
    return readFileSync(join(this.directory, `${name}.pem`), "utf8")
  }

  mode(name: string): string {
    return (statSync(join(this.directory, `${name}.pem`)).mode & 0o777).toString(8)
  }
}

export async function certificates(proxy: Bothways): Promise<Certified[]> {
  const status = (await (await proxy.ask("/status")).json()) as { certificates: Certified[] }
  return status.certificates
}

/** Waits until all names are as they should be. */
export async function untilValid(proxy: Bothways, ms = 10_000): Promise<Certified[]> {
  return until(
    async () => {
      const all = await certificates(proxy)
      return all.length > 0 && all.every(one => one.state === "valid") ? all : null
    },
    ms,
    "a valid certificate for every name",
  )
}
