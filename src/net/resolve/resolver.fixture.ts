import { setTimeout as sleep } from "node:timers/promises"
import { FakeClock, type LogRecord, setLogSink } from "../../base/index.ts"
import { DnsServer } from "./dns-server.fixture.ts"
import type { ResolveCallback } from "./flight.ts"
import type { OriginService } from "./origin-service.ts"
import type { ResolveError } from "./resolve-error.ts"
import { Resolver, type ResolverOptions } from "./resolver.ts"

export interface Outcome {
  error: ResolveError | null
  code: string
  addresses: string[]
  /** Milliseconds of the test's clock. */
  expiresIn: number
  /** Called back before `lookup` had returned. */
  atOnce: boolean
}

export interface ServicesOutcome {
  services: readonly OriginService[]
  /** Called back before `services` had returned. */
  atOnce: boolean
}

/** What a test of the resolver stands on: a scripted server, a clock that is moved by hand, and the log. */
export class ResolverBench {
  readonly server: DnsServer
  clock = new FakeClock()
  logged: LogRecord[] = []
  private readonly open: Resolver[] = []
  private static serial = 0

  private constructor(server: DnsServer) {
    this.server = server
  }

  static async start(): Promise<ResolverBench> {
    return new ResolverBench(await DnsServer.start())
  }

  /** A resolver that asks the server, once and for 200 ms, with a clock of its own. */
  make(options: ResolverOptions = {}): Resolver {
    this.clock = new FakeClock()
    this.logged = []
    setLogSink(record => this.logged.push(record))
    const resolver = new Resolver({ servers: [this.server.address], hostsFile: "", timeoutMs: 200, attempts: 1, ...options }, this.clock)
    this.open.push(resolver)
    return resolver
  }

  /** A name that no other test asks for. */
  fresh(): string {
    return `n${++ResolverBench.serial}.test`
  }

  look(resolver: Resolver, name: string): Promise<Outcome> {
    return this.outcome(callback => resolver.lookup(name, callback))
  }

  refresh(resolver: Resolver, name: string): Promise<Outcome> {
    return this.outcome(callback => resolver.refresh(name, callback))
  }

  services(resolver: Resolver, name: string, port = 443): Promise<ServicesOutcome> {
    return new Promise(done => {
      let atOnce = true
      resolver.services(name, port, services => done({ services, atOnce }))
      atOnce = false
    })
  }

  /** After each test. */
  closeAll(): void {
    for (const resolver of this.open.splice(0)) resolver.close()
    setLogSink(null)
  }

  private outcome(start: (callback: ResolveCallback) => void): Promise<Outcome> {
    return new Promise(done => {
      let atOnce = true
      start((error, addresses, expiresAt) =>
        done({ error, code: error?.code ?? "", addresses: addresses.map(entry => entry.address), expiresIn: expiresAt - this.clock.now(), atOnce }),
      )
      atOnce = false
    })
  }
}

/** Waits for what comes soon. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await sleep(5)
  if (!condition()) throw new Error("it did not come true within two seconds")
}
