import type { Random } from "../../src/base/index.ts"

/** Bodies that say whose they are: an octet that got lost, doubled or into somebody else's message shows. */
export function bodyOf(id: string, length: number): string {
  return `${id}|`.repeat(Math.ceil(length / (id.length + 1))).slice(0, length)
}

export function chance(random: Random, share: number): boolean {
  return random.float() < share
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!
}

/** Mostly small, now and then large. */
export function lengthOf(random: Random): number {
  return chance(random, 0.1) ? random.below(200_000) : chance(random, 0.2) ? 0 : random.below(300)
}

export function chunked(random: Random, body: string, trailers: string): string {
  let out = ""
  for (let at = 0; at < body.length; ) {
    const size = 1 + random.below(Math.min(body.length - at, 70_000))
    out += `${size.toString(16)}${chance(random, 0.1) ? ";ext=1" : ""}\r\n${body.slice(at, at + size)}\r\n`
    at += size
  }
  return `${out}0\r\n${trailers}\r\n`
}

/** The next piece of what is to be sent: all, a few octets, or one. */
export function pieceOf(random: Random, text: string): string {
  const kind = random.below(4)
  const most = kind === 0 ? 1 : kind === 1 ? 40 : kind === 2 ? 3000 : text.length
  return text.slice(0, 1 + random.below(Math.min(most, text.length)))
}
