import { type Octets, octets } from "./frames.ts"
import { endOfString, huffmanCodes, staticTable } from "./hpack-tables.ts"

// HPACK (RFC 7541) as plainly as it can be written: a second opinion on the product's codec, which it shares nothing with.

export type Field = readonly [name: string, value: string]
/** In their order; a record where no name comes twice. */
export type Fields = readonly Field[] | Readonly<Record<string, string>>

/** How a field travels: as an index alone, as a literal that is added to the table, that is not, or that nobody may ever add. */
export type Representation = "indexed" | "added" | "plain" | "never"

export interface DecodedField {
  readonly name: string
  readonly value: string
  readonly as: Representation
}

export interface LiteralOptions {
  readonly as?: Exclude<Representation, "indexed">
  readonly huffman?: boolean
}

const literalForms = { added: { first: 0x40, bits: 6 }, plain: { first: 0x00, bits: 4 }, never: { first: 0x10, bits: 4 } } as const

export function fieldList(fields: Fields): readonly Field[] {
  return Array.isArray(fields) ? fields : Object.entries(fields)
}

/** A whole block of literals with new names; by default not indexed, and without Huffman. */
export function headerBlock(fields: Fields, options: LiteralOptions = {}): Buffer {
  return Buffer.concat(fieldList(fields).map(([name, value]) => literalField(name, value, options)))
}

/** One literal; a number as name stands for an index into the tables. */
export function literalField(name: string | number, value: string, { as = "plain", huffman = false }: LiteralOptions = {}): Buffer {
  const { first, bits } = literalForms[as]
  const named = typeof name === "number" ? integer(name, bits, first) : Buffer.concat([Buffer.from([first]), stringLiteral(name, huffman)])
  return Buffer.concat([named, stringLiteral(value, huffman)])
}

export function indexedField(index: number): Buffer {
  return integer(index, 7, 0x80)
}

export function tableSizeUpdate(size: number): Buffer {
  return integer(size, 5, 0x20)
}

/** An integer with a prefix of `bits` (section 5.1); `first` holds the bits before it. */
export function integer(value: number, bits: number, first = 0): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.from([first | value])
  const bytes = [first | most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}

export function stringLiteral(text: Octets, huffman = false): Buffer {
  const plain = octets(text)
  const coded = huffman ? huffmanOctets(plain) : plain
  return Buffer.concat([integer(coded.length, 7, huffman ? 0x80 : 0), coded])
}

/** Symbols in Huffman code, filled up with ones. 256 is EOS, which nobody may send. */
export function huffmanOctets(symbols: Iterable<number>): Buffer {
  const bits = Array.from(symbols, symbol => huffmanCodes[symbol]!).join("")
  const filled = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1")
  return Buffer.from(Array.from({ length: filled.length / 8 }, (_, index) => Number.parseInt(filled.slice(index * 8, index * 8 + 8), 2)))
}

const symbolOf = new Map(huffmanCodes.map((code, symbol) => [code, symbol]))

function huffmanText(coded: Uint8Array): string {
  let text = ""
  let code = ""
  for (const byte of coded) {
    for (const bit of byte.toString(2).padStart(8, "0")) {
      code += bit
      const symbol = symbolOf.get(code)
      if (symbol === undefined) continue
      if (symbol === endOfString) throw new Error("EOS inside a string")
      text += String.fromCharCode(symbol)
      code = ""
    }
  }
  if (code.length > 7 || code.includes("0")) throw new Error(`padding ${code}`)
  return text
}

/** Decodes the header blocks of one direction of one connection, in their order. Throws on what RFC 7541 calls a decoding error. */
export class HeaderDecoder {
  /** The limit that we announced; a size update above it is an error. */
  sizeMax: number
  /** What the table may hold now. */
  size: number
  readonly table: Field[] = []
  private block: Buffer = Buffer.alloc(0)
  private at = 0

  constructor(sizeMax = 4096) {
    this.sizeMax = sizeMax
    this.size = sizeMax
  }

  decode(block: Uint8Array): DecodedField[] {
    this.block = octets(block)
    this.at = 0
    const fields: DecodedField[] = []
    while (this.at < this.block.length) {
      const first = this.block[this.at]!
      if (first & 0x80) fields.push({ ...this.entry(this.integer(7)), as: "indexed" })
      else if (first & 0x40) fields.push(this.added(this.literal(6, "added")))
      else if (first & 0x20) this.resize(fields.length)
      else fields.push(this.literal(4, first & 0x10 ? "never" : "plain"))
    }
    return fields
  }

  private entry(index: number): { name: string; value: string } {
    const found = index <= staticTable.length ? staticTable[index - 1] : this.table[index - staticTable.length - 1]
    if (found === undefined) throw new Error(`no entry ${index} in a table of ${this.table.length}`)
    return { name: found[0], value: found[1] }
  }

  private literal(bits: number, as: Representation): DecodedField {
    const index = this.integer(bits)
    const name = index === 0 ? this.text() : this.entry(index).name
    return { name, value: this.text(), as }
  }

  private added(field: DecodedField): DecodedField {
    this.table.unshift([field.name, field.value])
    this.evict()
    return field
  }

  private resize(before: number): void {
    const size = this.integer(5)
    if (before > 0) throw new Error("a size update after a field")
    if (size > this.sizeMax) throw new Error(`a table of ${size}, but ${this.sizeMax} is the most`)
    this.size = size
    this.evict()
  }

  private evict(): void {
    const used = (): number => this.table.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
    while (used() > this.size) this.table.pop()
  }

  private integer(bits: number): number {
    const most = 2 ** bits - 1
    let value = this.byte() & most
    if (value < most) return value
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (value > 2 ** 32) throw new Error("an integer above 32 bits")
      if (byte < 0x80) return value
    }
  }

  private text(): string {
    const isHuffman = (this.block[this.at] ?? 0) >= 0x80
    const length = this.integer(7)
    const coded = this.block.subarray(this.at, (this.at += length))
    if (coded.length < length) throw new Error("a string that ends early")
    return isHuffman ? huffmanText(coded) : coded.toString("latin1")
  }

  private byte(): number {
    if (this.at >= this.block.length) throw new Error("a block that ends early")
    return this.block[this.at++]!
  }
}
