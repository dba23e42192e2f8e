/**
 * The fields of a head, cut once. Text is latin1, one character an octet: `Name: value` CRLF for each line, as it is stored and sent.
 */
export class FieldLines {
  readonly #names: string[] = []
  readonly #values: string[] = []
  readonly #lines: string[] = []

  /** Cuts ready-made lines. What has no colon is no field and is left out; the last line may lack its CRLF. */
  static parse(text: string): FieldLines {
    const read = new FieldLines()
    let at = 0
    while (at < text.length) {
      const crlf = text.indexOf("\r\n", at)
      const end = crlf < 0 ? text.length : crlf
      read.#readLine(text.slice(at, end))
      at = end + 2
    }
    return read
  }

  #readLine(line: string): void {
    const colon = line.indexOf(":")
    if (colon > 0) this.#add(line.slice(0, colon).toLowerCase(), trim(line, colon + 1), line + "\r\n")
  }

  #add(name: string, value: string, line: string): void {
    this.#names.push(name)
    this.#values.push(value)
    this.#lines.push(line)
  }

  /** Lower case, in the order of the lines. */
  get names(): readonly string[] {
    return this.#names
  }

  /** Without the white space around them. */
  get values(): readonly string[] {
    return this.#values
  }

  /** Each with its CRLF. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The values of all lines of this name (lower case), joined (RFC 9110 section 5.3); "" = absent. */
  get(name: string): string {
    let joined = ""
    let found = false
    for (let i = this.#names.indexOf(name); i >= 0; i = this.#names.indexOf(name, i + 1)) {
      joined = found ? joined + ", " + this.#values[i]! : this.#values[i]!
      found = true
    }
    return joined
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  /** Without the lines of these names (lower case). */
  without(names: ReadonlySet<string>): FieldLines {
    const rest = new FieldLines()
    for (let i = 0; i < this.#names.length; i++) {
      if (!names.has(this.#names[i]!)) rest.#add(this.#names[i]!, this.#values[i]!, this.#lines[i]!)
    }
    return rest
  }

  /** With the lines of others behind its own. */
  concat(others: FieldLines): FieldLines {
    const all = new FieldLines()
    for (const from of [this, others]) {
      for (let i = 0; i < from.#names.length; i++) all.#add(from.#names[i]!, from.#values[i]!, from.#lines[i]!)
    }
    return all
  }

  render(): string {
    return this.#lines.join("")
  }
}

/** Of the white space of a field value (RFC 9110 section 5.5), which is less than that of `String.trim`. */
function trim(line: string, from: number): string {
  const start = skipSpace(line, from, line.length)
  return line.slice(start, trimEnd(line, start, line.length))
}
import { skipSpace, trimEnd } from "../../http/index.ts"
