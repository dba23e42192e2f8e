import { type Config, LiveList, loadListNow, NameLists } from "../../config/index.ts"
import { listKey, type SharedList } from "./shared-list.ts"

interface Known {
  readonly list: LiveList
  version: number
}

/** The lists of one worker: handles that stay while the names behind them are replaced. All workers look into one copy. */
export class WorkerLists {
  private given = new Map<string, SharedList>()
  private readonly known = new Map<string, Known>()

  /** `whole`: these are all that live and prepared configs have; others are forgotten, and live on in the snapshots that still run. */
  take(lists: readonly SharedList[], whole: boolean): void {
    if (whole) {
      const keys = new Set(lists.map(({ key }) => key))
      for (const key of this.known.keys()) if (!keys.has(key)) this.known.delete(key)
      for (const key of this.given.keys()) if (!keys.has(key)) this.given.delete(key)
    }
    for (const list of lists) {
      if (list.version < (this.given.get(list.key)?.version ?? 0)) continue
      this.given.set(list.key, list)
      const known = this.known.get(list.key)
      if (known === undefined || known.version === list.version) continue
      known.version = list.version
      known.list.replace(list.memory)
    }
  }

  /** What a snapshot of this config is compiled with. */
  of(config: Config): NameLists {
    return new NameLists(config.lists, name => this.handle(name, config.lists[name]!))
  }

  private handle(name: string, config: Config["lists"][string]): LiveList {
    const key = listKey(name, config)
    const known = this.known.get(key)
    if (known !== undefined) return known.list
    const given = this.given.get(key)
    // A script may give each thread another list than it gave the control thread.
    const list = new LiveList(name, config.category ?? "", given?.memory ?? loadListNow(config).memory)
    this.known.set(key, { list, version: given?.version ?? 0 })
    return list
  }
}
