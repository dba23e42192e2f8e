/** One series of a page, as a reader of the format sees it. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposition {
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
}

/**
 * Reads the text exposition format 0.0.4 and throws at everything that a scraper might take differently from how it was meant; for tests of the page.
 * Each family is one group with HELP and TYPE, no series twice, histograms whole and rising.
 */
export function parseExposition(page: string): Exposition {
  if (!page.endsWith("\n")) throw new Error("expected the last line to end in a line feed")
  const reader = new Reader()
  let number = 0
  for (const line of page.slice(0, -1).split("\n")) reader.line(line, ++number)
  for (const [name, type] of reader.types) if (type === "histogram") checkHistogram(name, reader.samples)
  return { types: reader.types, samples: reader.samples }
}

class Reader {
  readonly types = new Map<string, string>()
  readonly samples: Sample[] = []
  private readonly helped = new Set<string>()
  private readonly seen = new Set<string>()
  private current = ""

  line(line: string, number: number): void {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)*)$/.exec(line)
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line)
    if (help !== null) this.help(help[1]!, number)
    else if (type !== null) this.type(type[1]!, type[2]!, number)
    else this.sample(line, number)
  }

  private help(name: string, number: number): void {
    if (this.helped.has(name)) throw new Error(`line ${number}: a second HELP of ${name}`)
    this.helped.add(name)
    this.current = name
  }

  private type(name: string, type: string, number: number): void {
    if (this.current !== name || this.types.has(name)) throw new Error(`line ${number}: expected TYPE right after HELP of ${name}`)
    this.types.set(name, type)
  }

  private sample(line: string, number: number): void {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)$/.exec(line)
    if (match === null) throw new Error(`line ${number}: expected a sample, got ${JSON.stringify(line)}`)
    const labels = parseLabels(match[2] ?? "", number)
    const name = match[1]!
    const family = this.types.get(name) === undefined ? name.replace(/_(bucket|sum|count)$/, "") : name
    if (family !== this.current) throw new Error(`line ${number}: ${name} stands outside its group`)
    const key = `${name}${JSON.stringify(Object.entries(labels).sort())}`
    if (this.seen.has(key)) throw new Error(`line ${number}: the series ${key} stands there twice`)
    this.seen.add(key)
    this.samples.push({ name, labels, value: Number(match[3]!.replace("Inf", "Infinity")) })
  }
}

function parseLabels(text: string, number: number): Record<string, string> {
  const labels: Record<string, string> = {}
  const pattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/y
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text)
    if (match === null || Object.hasOwn(labels, match[1]!)) throw new Error(`line ${number}: expected name="value" pairs, got ${text}`)
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped))
  }
  return labels
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const series = new Map<string, { last: number; bound: number }>()
  for (const sample of samples) {
    if (!sample.name.startsWith(`${name}_`)) continue
    const { le, ...labels } = sample.labels
    const key = JSON.stringify(labels)
    const state = series.get(key) ?? { last: 0, bound: Number.NEGATIVE_INFINITY }
    series.set(key, state)
    if (sample.name === `${name}_bucket`) {
      const bound = Number(le === "+Inf" ? "Infinity" : le)
      if (!(bound > state.bound) || sample.value < state.last) throw new Error(`${name}: expected buckets in rising order, got le=${le}`)
      state.bound = bound
      state.last = sample.value
    } else if (sample.name === `${name}_count` && (state.bound !== Number.POSITIVE_INFINITY || state.last !== sample.value)) {
      throw new Error(`${name}: expected the count to equal the +Inf bucket`)
    }
  }
}
