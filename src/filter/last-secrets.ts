// HOT
import type { Exchange } from "../flow/index.ts"

/** After so many other secrets in a row a connection is one that many clients share, and is not kept track of. */
const MISSES_MAX = 3

interface Last<Value> {
  text: string
  value: Value
  misses: number
}

/**
 * The secret that each connection showed last, with what is known of it: most connections show the same one with every request, and comparing text costs
 * a fraction of a hash. It goes with the connection; the text is a copy, so that it holds no whole head in memory.
 */
export class LastSecrets<Value> {
  private known = new WeakMap<object, Last<Value>>()

  recall(x: Exchange, text: string): Value | undefined {
    const last = x.down === null ? undefined : this.known.get(x.down.info)
    if (last === undefined || last.text !== text) return undefined
    last.misses = 0
    return last.value
  }

  keep(x: Exchange, text: string, value: Value): void {
    if (x.down === null) return
    const { info } = x.down
    const last = this.known.get(info)
    if (last === undefined) {
      this.known.set(info, { text: copyOf(text), value, misses: 0 })
      return
    }
    if (last.text !== text && ++last.misses > MISSES_MAX) return
    last.text = copyOf(text)
    last.value = value
  }

  clear(): void {
    this.known = new WeakMap()
  }
}

function copyOf(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1")
}
