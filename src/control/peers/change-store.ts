import { createHash } from "node:crypto"
import { renameSync } from "node:fs"
import type { Log } from "../../base/index.ts"
import type { Config, PeerConfig } from "../../config/index.ts"
import { describeChanges, isUnchanged, NO_CHANGES, type PeerChanges } from "./peer-changes.ts"
import { type KeptByCluster, type KeptChanges, readKeptChanges, writeKeptChanges } from "./peer-changes-file.ts"

/** What was changed at run time, by cluster, as long as the config says the same of its peers; in a file too, when the config names one. */
export class ChangeStore {
  readonly #log: Log
  #kept: KeptByCluster = {}
  /** "" = none. */
  #file = ""
  /** What is in the file is not ours to lose. */
  #setAside = false
  /** The last write went wrong, and so. */
  #trouble = ""

  constructor(log: Log) {
    this.#log = log
  }

  /** Why changes are not kept over a restart, "" = they are. */
  get notKept(): string {
    return this.#file === "" ? "admin.peersFile is not set" : this.#trouble
  }

  /** The first config: what an earlier run has kept. A file that cannot be used is told, and left as it is; the next change puts it aside. */
  open(config: Config): void {
    const file = fileOf(config)
    if (file === "") return
    const read = readKeptChanges(file)
    if (typeof read !== "string") {
      this.#kept = read
      for (const [cluster, { changes }] of Object.entries(this.#valid(config)))
        this.#log.info("changes of an earlier run are in force", { cluster, changes: describeChanges(changes), file })
      return
    }
    this.#setAside = true
    this.#log.warn("the file with changes of peers cannot be used; the config's peers are in force", { file, reason: read })
  }

  /** What counts under this config. */
  of(config: Config, cluster: string): PeerChanges {
    const kept = this.#kept[cluster]
    const settings = config.clusters[cluster]
    return kept === undefined || settings === undefined || kept.of !== fingerprint(settings.peers) ? NO_CHANGES : kept.changes
  }

  set(config: Config, cluster: string, changes: PeerChanges): void {
    const { [cluster]: _, ...others } = this.#kept
    this.#kept = isUnchanged(changes) ? others : { ...others, [cluster]: { of: fingerprint(config.clusters[cluster]!.peers), changes } }
    this.#write()
  }

  /** The config is live: what was said of other peers than its own is over. */
  follow(config: Config): void {
    const valid = this.#valid(config)
    const dropped = Object.entries(this.#kept).filter(([cluster]) => valid[cluster] === undefined)
    for (const [cluster, { changes }] of dropped)
      this.#log.warn("the config has other peers for this cluster: what was changed at run time is dropped", {
        cluster,
        dropped: describeChanges(changes),
      })
    this.#kept = valid
    const file = fileOf(config)
    const isOther = file !== this.#file
    this.#file = file
    if (dropped.length > 0 || (isOther && Object.keys(valid).length > 0)) this.#write()
  }

  #valid(config: Config): Record<string, KeptChanges> {
    return Object.fromEntries(Object.entries(this.#kept).filter(([cluster]) => !isUnchanged(this.of(config, cluster))))
  }

  #write(): void {
    if (this.#file === "") return
    try {
      if (this.#setAside) renameSync(this.#file, `${this.#file}.unusable`)
      this.#setAside = false
      writeKeptChanges(this.#file, this.#kept)
      this.#trouble = ""
    } catch (error) {
      this.#trouble = `${this.#file} cannot be written: ${(error as Error).message}`
      this.#log.error("changes of peers are not kept over a restart", { reason: this.#trouble })
    }
  }
}

function fileOf(config: Config): string {
  return config.admin?.peersFile ?? ""
}

function fingerprint(peers: readonly PeerConfig[]): string {
  const facts = peers.map(({ host, port, path, weight, backup }) => [host, port, path, weight, backup])
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16)
}
