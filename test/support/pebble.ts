import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Authority } from "./certificates.ts"
import { freePort, freePorts } from "./ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

export interface PebbleOptions {
  /** Where it comes for HTTP-01 and TLS-ALPN-01, on 127.0.0.1. */
  readonly httpPort: number
  readonly tlsPort: number
  /** Seconds that its certificates are valid. Default: five years. */
  readonly validity?: number
  /** It takes nobody without an account of its own. */
  readonly accounts?: Record<string, string>
}

/** Let's Encrypt's authority for tests, which validates for real and forgets everything when it ends; and a DNS server of which every name is 127.0.0.1. */
export class Pebble implements AsyncDisposable {
  readonly directory: string
  /** File with the authority of its own certificate. */
  readonly ca: string
  private readonly program: Program
  private readonly names: Program
  private readonly management: number
  private readonly dnsManagement: number

  private constructor(parts: { port: number; ca: string; program: Program; names: Program; management: number; dnsManagement: number }) {
    this.directory = `https://127.0.0.1:${parts.port}/dir`
    this.ca = parts.ca
    this.program = parts.program
    this.names = parts.names
    this.management = parts.management
    this.dnsManagement = parts.dnsManagement
  }

  static async start(options: PebbleOptions): Promise<Pebble> {
    const [port, management, dns, dnsManagement] = (await freePorts(4)) as [number, number, number, number]
    const folder = temporaryFolder("pebble")
    const authority = new Authority("Pebble's own")
    const own = authority.issue(["127.0.0.1", "localhost"])
    const config = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: own.certFile,
      privateKey: own.keyFile,
      httpPort: options.httpPort,
      tlsPort: options.tlsPort,
      externalAccountBindingRequired: options.accounts !== undefined,
      ...(options.accounts && { externalAccountMACKeys: options.accounts }),
      ...(options.validity && { certificateValidityPeriod: options.validity }),
    }
    const file = join(folder, "pebble.json")
    writeFileSync(file, JSON.stringify({ pebble: config }))
    const off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
    const names = startProgram("pebble-challtestsrv", "pebble-challtestsrv", [
      ...off,
      "-dns01",
      `127.0.0.1:${dns}`,
      "-management",
      `127.0.0.1:${dnsManagement}`,
    ])
    await untilReady(names, () => isListening(dnsManagement))
    // What was proven once is proven again, so that each order shows its challenge.
    const env = { PEBBLE_VA_NOSLEEP: "1", PEBBLE_AUTHZREUSE: "0" }
    const program = startProgram("pebble", "pebble", ["-config", file, "-dnsserver", `127.0.0.1:${dns}`], { env })
    await untilReady(program, () => isListening(port))
    return new Pebble({ port, ca: authority.ca.certFile, program, names, management, dnsManagement })
  }

  /** As `acme.issuers` has it. */
  get issuer(): { url: string; ca: string } {
    return { url: this.directory, ca: this.ca }
  }

  /** Orders so far. */
  get orders(): number {
    return this.said.filter(line => /Added order/.test(line)).length
  }

  get said(): string[] {
    return [...this.program.lines, ...this.program.stderr.split("\n")]
  }

  /** PEM of the root that signs its certificates. */
  async root(): Promise<string> {
    const answer = await fetch(`https://127.0.0.1:${this.management}/roots/0`, { tls: { rejectUnauthorized: false } })
    return answer.text()
  }

  /** The shell lines of a hook that sets and clears TXT records. */
  get hook(): string {
    const say = (path: string, body: string): string => `curl -sS -o /dev/null --data "${body}" http://127.0.0.1:${this.dnsManagement}/${path}`
    return `#!/bin/sh
echo "$1 $2 $ACME_ACTION $ACME_NAME" >> "$0.log"
case $1 in
  present) ${say("set-txt", '{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}')} ;;
  cleanup) ${say("clear-txt", '{\\"host\\":\\"$2.\\"}')} ;;
esac
`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.program.stop("SIGKILL"), this.names.stop("SIGKILL")])
  }
}

/** A directory that nobody answers at. */
export async function deadDirectory(): Promise<string> {
  return `https://127.0.0.1:${await freePort()}/dir`
}
