import { type Address, formatAddress, type Log } from "../../base/index.ts"
import type { LentSocket } from "../protocol.ts"
import type { AdminView } from "./admin-routes.ts"
import { AdminServer, type AdminSettings } from "./admin-server.ts"

/** Time for answers under way, such as the one to the reload that moved the listener. */
const GOODBYE_MS = 2000

/** Keeps the admin listener as the live config wants it. */
export class AdminKeeper {
  readonly #view: AdminView
  readonly #log: Log
  readonly #inherited: (bind: Address) => number
  #server: AdminServer | null = null
  #settings: AdminSettings | null = null

  /** `inherited`: the descriptor of a socket that another process of ours has bound at this address, for us to keep; -1 = there is none. */
  constructor(view: AdminView, log: Log, inherited: (bind: Address) => number = () => -1) {
    this.#view = view
    this.#log = log
    this.#inherited = inherited
  }

  /** The listener's socket under the address that the config has; null = there is none that could go to another process. */
  get socket(): LentSocket | null {
    const fd = this.#server?.fd ?? -1
    return fd < 0 ? null : { bind: formatAddress(this.#settings!.bind), fd }
  }

  /** Stops listening. `handed`: another process goes on with the socket. */
  leave(handed: boolean): void {
    if (handed) this.#server?.release(GOODBYE_MS)
    else this.#server?.close(GOODBYE_MS)
    this.#server = null
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
    return AdminServer.start(settings, this.#view, this.#log, this.#inherited(settings.bind))
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
