import { NameSet, nearest } from "../../base/index.ts"
import type { Lists, NameList } from "../../plugin/index.ts"
import type { Config } from "../schema.ts"
import { loadListNow } from "./load-list.ts"

/** A list as rules hold it: the names behind it may be replaced at any time. */
export class LiveList implements NameList {
  readonly name: string
  readonly category: string
  private set: NameSet

  constructor(name: string, category: string, memory: SharedArrayBuffer) {
    this.name = name
    this.category = category
    this.set = new NameSet(memory)
  }

  /** From now on, in one step. */
  replace(memory: SharedArrayBuffer): void {
    this.set = new NameSet(memory)
  }

  has(host: string): boolean {
    return this.set.has(host)
  }

  find(host: string): number {
    return this.set.find(host)
  }
}

/** Lists by name and by category. `listOf` is asked when somebody wants the list for the first time. */
export class NameLists implements Lists {
  private readonly config: Config["lists"]
  private readonly listOf: (name: string) => NameList
  private readonly made = new Map<string, NameList>()

  constructor(config: Config["lists"], listOf: (name: string) => NameList) {
    this.config = config
    this.listOf = listOf
  }

  get(name: string): NameList {
    const known = this.made.get(name)
    if (known !== undefined) return known
    if (!Object.hasOwn(this.config, name)) throw new Error(unknownList(name, Object.keys(this.config)))
    const list = this.listOf(name)
    this.made.set(name, list)
    return list
  }

  ofCategory(category: string): readonly NameList[] {
    const names = Object.keys(this.config).filter(name => this.config[name]!.category === category)
    if (names.length === 0) throw new Error(unknownCategory(category, categoriesOf(this.config)))
    return names.map(name => this.get(name))
  }
}

/** The lists of a config, read when somebody asks for them: for what has no clients waiting. Throws where a list cannot be used. */
export function listsNow(config: Pick<Config, "lists">): Lists {
  return new NameLists(config.lists, name => {
    const list = config.lists[name]!
    return new LiveList(name, list.category ?? "", loadListNow(list).memory)
  })
}

/** The lists of a config without their names, for building what is never asked. */
export function quietLists(config: Pick<Config, "lists">): Lists {
  return new NameLists(config.lists, name => ({ name, category: config.lists[name]!.category ?? "", has: () => false, find: () => -1 }))
}

export function categoriesOf(lists: Config["lists"]): string[] {
  return [...new Set(Object.values(lists).flatMap(({ category }) => (category === null ? [] : [category])))]
}

export function unknownList(name: string, names: readonly string[]): string {
  return unknown("list", name, names, "`lists` has none")
}

export function unknownCategory(category: string, known: readonly string[]): string {
  return unknown("category", category, known, "no list has one")
}

function unknown(noun: string, name: string, known: readonly string[], none: string): string {
  const near = nearest(name, known)
  const tail = near !== null ? `did you mean ${JSON.stringify(near)}?` : known.length === 0 ? none : `there are ${known.slice(0, 20).join(", ")}`
  return `there is no ${noun} ${JSON.stringify(name)}; ${tail}`
}
