/** A list of the config's `lists`, as it stands: it may be read anew at any time, and this stays the same object. */
export interface NameList {
  readonly name: string
  /** "" = none. */
  readonly category: string
  /** Whether the list holds a host: lower case, no dot at its end, A-labels, which is what `x.host` has. Pure, takes under a microsecond and allocates nothing. */
  has(host: string): boolean
  /** Where in `host` the name begins by which the list holds it: `host.slice(at)` is that name, 0 = the host itself, -1 = it does not hold it. */
  find(host: string): number
}

/** The lists of the config. */
export interface Lists {
  /** Throws when there is none of this name; declare the names among the options (`lists`), so that this shows with its place in the file. */
  get(name: string): NameList
  /** All lists of a category, in the order of the config. Throws when there is none. */
  ofCategory(category: string): readonly NameList[]
}

/** A list or a category that options name, with the keys that lead there. */
export interface ListUse {
  readonly at: readonly (string | number)[]
  readonly kind: "list" | "category"
  readonly name: string
}
