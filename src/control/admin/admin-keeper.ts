import { formatAddress, type Log } from "../../base/index.ts"
import type { AdminView } from "./admin-routes.ts"
import { AdminServer, type AdminSettings } from "./admin-server.ts"

/** Time for answers under way, such as the one to the reload that moved the listener. */
const GOODBYE_MS = 2000

/** Keeps the admin listener as the live config wants it. */
export class AdminKeeper {
  readonly #view: AdminView
  readonly #log: Log
  #server: AdminServer | null = null
  #settings: AdminSettings | null = null

  constructor(view: AdminView, log: Log) {
    this.#view = view
    this.#log = log
  }

  /** Where it listens, "" = off. */
  get address(): string {
    return this.#server?.address ?? ""
  }

  /** Opens, moves, changes or closes the listener. Rejects when there was none before and there can be none now; otherwise the old one stays. */
  async follow(settings: AdminSettings | null): Promise<void> {
    const before = this.#server
    if (settings !== null && before !== null && formatAddress(settings.bind) === formatAddress(this.#settings!.bind)) before.adopt(settings)
    else if (settings !== null) this.#server = before === null ? await this.#start(settings) : await this.#move(before, settings)
    else {
      before?.close(GOODBYE_MS)
      this.#server = null
    }
    if (this.#server !== before || before !== null) this.#settings = settings
  }

  close(): void {
    this.#server?.close(0)
    this.#server = null
  }

  #start(settings: AdminSettings): Promise<AdminServer> {
    return AdminServer.start(settings, this.#view, this.#log)
  }

  async #move(before: AdminServer, settings: AdminSettings): Promise<AdminServer> {
    const next = await this.#start(settings).catch(() => null)
    before.close(GOODBYE_MS)
    if (next !== null) return next
    try {
      // the two addresses may overlap: 127.0.0.1:9900 and every address of 9900
      return await this.#start(settings)
    } catch (error) {
      this.#log.error("the admin listener cannot move and stays where it was", { to: formatAddress(settings.bind), error })
      return this.#start(this.#settings!)
    }
  }
}
