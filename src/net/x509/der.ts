/**
 * The few words of DER (ITU-T X.690) that certificates and requests are written in. Every function gives one whole element: tag, length, content.
 */

/** One element of this tag around `parts`. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOctets(content.length), content])
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const octets: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Buffer.from([0x80 | octets.length, ...octets])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts)

/** A SET OF has its elements in the order of their octets (X.690 section 11.6). */
export const setOf = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...[...parts].sort(Buffer.compare))

export const octetString = (content: Uint8Array): Buffer => element(0x04, content)

/** Whole octets: no unused bits. */
export const bitString = (content: Uint8Array): Buffer => element(0x03, Buffer.from([0]), content)

export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]))

export const nothing = (): Buffer => element(0x05)

export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text, "utf8"))

/** An integer from 0 on, its octets with the highest first. */
export function integer(value: number | Uint8Array): Buffer {
  const octets = typeof value === "number" ? Buffer.from([value]) : value
  let start = 0
  while (start < octets.length - 1 && octets[start] === 0) start++
  const plain = octets.subarray(start)
  // A leading bit would make it negative.
  return element(0x02, plain[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), plain]) : plain)
}

/** `1.2.840.10045.4.3.2` */
export function objectIdentifier(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split(".").map(Number)
  return element(0x06, Buffer.from([first! * 40 + second!, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const octets = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) octets.unshift(0x80 | (rest % 128))
  return octets
}

/** To the second; before 2050 in two digits of the year (RFC 5280 section 4.1.2.5). `ms` since 1970 UTC. */
export function time(ms: number): Buffer {
  const digits = `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`
  return Number(digits.slice(0, 4)) < 2050 ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits))
}

/** `[number]` around whole elements. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 | number, ...parts)

/** `[number]` in place of a primitive's own tag. */
export const implicit = (number: number, content: Uint8Array): Buffer => element(0x80 | number, content)

/** PEM of one element. */
export function pem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`
}
