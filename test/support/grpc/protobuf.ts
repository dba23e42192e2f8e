/** A value of one field: a number as varint, octets or text with their length. */
export type FieldValue = number | Buffer | string

/** Octets of a message in the protobuf wire format, its fields in this order. Zeros and empty values are left out, as proto3 does. */
export function encodeMessage(...fields: readonly (readonly [number, FieldValue])[]): Buffer {
  const parts: Buffer[] = []
  for (const [field, value] of fields) {
    if (typeof value === "number") {
      if (value !== 0) parts.push(varint(field * 8), varint(value))
      continue
    }
    const octets = Buffer.from(value as Buffer)
    if (octets.length > 0) parts.push(varint(field * 8 + 2), varint(octets.length), octets)
  }
  return Buffer.concat(parts)
}

function varint(value: number): Buffer {
  const octets: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128)
  return Buffer.from([...octets, rest])
}

/** A message as it was read: each field's values in order. */
export class Decoded {
  private readonly values = new Map<number, FieldValue[]>()

  constructor(octets: Buffer) {
    let at = 0
    const next = (): number => {
      let value = 0
      for (let scale = 1; ; scale *= 128) {
        const octet = octets[at++]
        if (octet === undefined) throw new RangeError("the message ends inside a varint")
        value += (octet & 127) * scale
        if (octet < 128) return value
      }
    }
    while (at < octets.length) {
      const key = next()
      const wire = key % 8
      if (wire !== 0 && wire !== 2) throw new RangeError(`wire type ${wire} is not one that these messages use`)
      const length = next()
      const value = wire === 0 ? length : octets.subarray(at, (at += length))
      this.values.set(Math.floor(key / 8), [...(this.values.get(Math.floor(key / 8)) ?? []), value])
    }
  }

  number(field: number): number {
    return (this.values.get(field)?.at(-1) as number | undefined) ?? 0
  }

  octets(field: number): Buffer {
    return (this.values.get(field)?.at(-1) as Buffer | undefined) ?? Buffer.alloc(0)
  }

  /** An embedded message; empty when it is not there. */
  message(field: number): Decoded {
    return new Decoded(this.octets(field))
  }

  messages(field: number): Decoded[] {
    return (this.values.get(field) ?? []).map(value => new Decoded(value as Buffer))
  }
}
