import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import { log, moduleUrl, writeLog } from "../../../base/index.ts"
import type { PurgeTarget, StoredFacts } from "../contract.ts"
import type { DiskAttachment, DiskOptions, DiskSettings, DiskStats, DiskStore } from "./disk-contract.ts"
import { diskSettings } from "./disk-settings.ts"
import type { FromControl, ToControl } from "./messages.ts"
import { CLOSED, ENDING, NO_LOOKUPS, NO_WRITES, SharedState } from "./shared-state.ts"

/** The keeper as the control thread sees it. Tests put one behind it that runs in their own thread. */
export interface KeeperPort {
  post(message: FromControl, transfer?: readonly MessagePort[]): void
  terminate(): Promise<unknown>
}

export interface KeeperEvents {
  message(message: ToControl): void
  /** It is gone; `error` is why. */
  ended(error: string): void
}

export type SpawnKeeper = (setup: KeeperSetup, events: KeeperEvents) => KeeperPort

/** What a keeper starts with. */
export interface KeeperSetup {
  readonly settings: DiskSettings
  readonly shared: SharedArrayBuffer
}

const spawnThread: SpawnKeeper = (setup, events) => {
  const keeper = new Worker(moduleUrl("cache/store/disk/keeper-thread.ts"), { workerData: setup })
  keeper.on("message", events.message)
  keeper.on("error", (error: unknown) => events.ended(error instanceof Error ? (error.stack ?? error.message) : String(error)))
  keeper.on("exit", () => events.ended("its thread ended by itself"))
  return { post: (message, transfer = []) => keeper.postMessage(message, [...transfer]), terminate: () => keeper.terminate() }
}

/** The control thread's end, with the keeper started. Rejects with the reason when the folder cannot be used: for the operator. */
export function createDiskStore(options: DiskOptions, spawn: SpawnKeeper = spawnThread): Promise<DiskStore> {
  return new Promise((resolve, reject) => {
    try {
      const store = new ControlEnd(diskSettings(options), spawn, error => (error === "" ? resolve(store) : reject(new Error(error))))
    } catch (error) {
      reject(error)
    }
  })
}

interface Call {
  resolve(value: never): void
  reject(error: Error): void
}

class ControlEnd implements DiskStore {
  private readonly settings: DiskSettings
  private readonly shared: SharedState
  private readonly keeper: KeeperPort
  private readonly calls = new Map<number, Call>()
  private lastCall = 0
  /** Called once: "" = it is open. */
  private started: ((error: string) => void) | null
  private closed: (() => void) | null = null
  private gone = false

  constructor(settings: DiskSettings, spawn: SpawnKeeper, started: (error: string) => void) {
    this.settings = settings
    this.started = started
    this.shared = new SharedState(settings, null)
    if (!this.shared.hasKeySeed(settings.keySeed)) throw new Error("keySeed is what setKeySeed was called with")
    this.keeper = spawn({ settings, shared: this.shared.buffer }, { message: message => this.hear(message), ended: error => this.end(error) })
  }

  attachment(self: number): DiskAttachment {
    const { port1, port2 } = new MessageChannel()
    this.keeper.post({ type: "attach", self, port: port1 }, [port1])
    return { shared: this.shared.buffer, port: port2, settings: this.settings }
  }

  workerLost(self: number): void {
    this.shared.failProgress(self)
    // Here and now: the next worker with this number will note its own in the same places.
    this.post({ type: "lost", self, open: this.shared.takeOpen(self) })
  }

  purge(target: PurgeTarget, mark: boolean): Promise<number> {
    const epoch = this.shared.nextEpoch()
    return this.ask(call => ({ type: "purge", call, epoch, target, mark }))
  }

  list(filter: PurgeTarget, limit: number): Promise<StoredFacts[]> {
    return this.ask(call => ({ type: "list", call, filter, limit }))
  }

  stats(): DiskStats {
    const { shared, settings } = this
    return {
      state: this.gone ? "closed" : shared.state(),
      entries: shared.number("entries"),
      entriesMax: settings.entriesMax,
      bytes: shared.number("bytes"),
      reserved: shared.number("reserved"),
      bytesMax: settings.bytes,
      writers: shared.number("writers"),
      counts: shared.counts(),
    }
  }

  endWrites(): void {
    this.shared.setFlags(ENDING)
  }

  async close(): Promise<void> {
    if (this.gone) return
    await new Promise<void>(resolve => {
      this.closed = resolve
      this.post({ type: "close" })
    })
    await this.keeper.terminate()
  }

  private post(message: FromControl): void {
    if (!this.gone) this.keeper.post(message)
  }

  private ask<T>(message: (call: number) => FromControl): Promise<T> {
    if (this.gone) return Promise.reject(new Error(`${this.settings.path}: the disk store is closed`))
    const call = ++this.lastCall
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject })
      this.post(message(call))
    })
  }

  private hear(message: ToControl): void {
    switch (message.type) {
      case "opened":
        return this.start("")
      case "failed":
        this.start(message.message)
        this.gone = true
        return void this.keeper.terminate()
      case "purged":
        return this.settle(message.call, call => call.resolve(message.count as never))
      case "listed":
        return this.settle(message.call, call => call.resolve(message.entries as never))
      case "refused":
        return this.settle(message.call, call => call.reject(new Error(message.message)))
      case "log":
        return writeLog(message.record)
      case "closed":
        return this.end("")
    }
  }

  private start(error: string): void {
    this.started?.(error)
    this.started = null
  }

  private settle(call: number, act: (call: Call) => void): void {
    const waiting = this.calls.get(call)
    this.calls.delete(call)
    if (waiting !== undefined) act(waiting)
  }

  /** `error` "" = as it was asked to. */
  private end(error: string): void {
    if (this.gone) return
    this.gone = true
    this.shared.setFlags(CLOSED | NO_LOOKUPS | NO_WRITES)
    this.shared.setState("closed")
    if (error !== "")
      log.error("cache", "the keeper of a disk store has ended; nothing is stored on disk from now on", { path: this.settings.path, error })
    this.start(error)
    for (const call of this.calls.values()) call.reject(new Error(`${this.settings.path}: the disk store is closed`))
    this.calls.clear()
    this.closed?.()
  }
}
