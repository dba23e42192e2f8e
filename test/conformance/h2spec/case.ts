import { codeOf, errorCode, type Frame, flag, frameType, nameIn } from "../../support/h2/frames.ts"
import type { Field } from "../../support/h2/header-block.ts"
import { type RawH2Client, rawH2Client } from "../../support/h2/raw-h2-client.ts"

/** A server to be asked. `/` has to answer GET and POST with a body of five octets or more. */
export interface Target {
  readonly port: number
  readonly tls?: { readonly servername?: string }
  readonly authority?: string
  readonly path?: string
  /** How long a case waits for an answer; default 2000. */
  readonly patienceMs?: number
  /** Errors have to be named by RST_STREAM or GOAWAY, where a bare end of the connection would do; and what is right is answered below 400. */
  readonly exact?: boolean
}

export type Send = (client: RawH2Client, target: Target) => unknown

export interface Case {
  readonly name: string
  /** Whether the server has to object, or to go on. */
  readonly kind: "objects" | "goes on"
  /** The case sends the preface itself. */
  readonly bare?: boolean
  /** Fails when the server does otherwise than it must. */
  readonly run: (client: RawH2Client, target: Target) => Promise<unknown>
}

export interface Section {
  /** Of RFC 7540 for "http2", of RFC 7541 for "hpack"; "generic" is what every server does. */
  readonly title: string
  readonly cases: readonly Case[]
}

export type ErrorName = keyof typeof errorCode

/** Runs one case on a connection of its own. */
export async function runCase({ bare = false, run }: Case, target: Target): Promise<void> {
  using client = await rawH2Client(target.port, { ...(target.tls && { tls: target.tls }), preface: !bare })
  if (!bare) await handshake(client, target)
  await run(client, target)
}

async function handshake(client: RawH2Client, target: Target): Promise<void> {
  const isFirst = (each: Frame): boolean => each.type === frameType.settings && (each.flags & flag.ack) === 0
  await client.frame(isFirst, { ms: patience(target) })
  await client.settled(patience(target))
}

export function patience({ patienceMs = 2000 }: Target): number {
  return patienceMs
}

/** GOAWAY with one of the codes, or the end of the connection. */
export function connectionError(name: string, codes: readonly ErrorName[], send: Send): Case {
  return objects({ name, codes, send, types: [frameType.goaway] })
}

/** RST_STREAM or GOAWAY with one of the codes, or the end of the connection. */
export function streamError(name: string, codes: readonly ErrorName[], send: Send): Case {
  return objects({ name, codes, send, types: [frameType.goaway, frameType.rstStream] })
}

interface Objection {
  readonly name: string
  readonly codes: readonly ErrorName[]
  readonly send: Send
  readonly types: readonly number[]
  /** The end of the connection alone is not enough. */
  readonly named?: boolean
}

export function objects({ name, codes, send, types, named = false }: Objection): Case {
  const numbers = codes.map(code => errorCode[code])
  const isIt = (each: Frame): boolean => types.includes(each.type) && numbers.includes(codeOf(each) as 0)
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    await client.together(() => send(client, target))
    const come = (): boolean => client.frames.some(isIt) || (client.ending !== "open" && !target.exact && !named)
    const wanted = `${types.map(type => nameIn(frameType, type)).join(" or ")} with ${codes.join(" or ")}`
    await orEnd(client, target, come, wanted)
  }
  return { name, kind: "objects", run }
}

/** HEADERS on stream 1. */
export function answered(name: string, send: Send): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    await client.together(() => send(client, target))
    await client.frame(each => each.type === frameType.headers && each.streamId === 1, { ms: patience(target) })
    if (!target.exact) return
    const { status } = await client.head(1, patience(target))
    if (status >= 400) throw new Error(`answered with ${status}`)
  }
  return { name, kind: "goes on", run }
}

/** A PING is answered afterwards. */
export function alive(name: string, send: Send): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    await client.together(() => send(client, target))
    await client.roundTrip(patience(target))
  }
  return { name, kind: "goes on", run }
}

/** A PING is answered afterwards, or the connection ends. */
export function aliveOrEnded(name: string, send: Send): Case {
  const run = async (client: RawH2Client, target: Target): Promise<void> => {
    await client.together(() => send(client, target))
    client.ping("alive? !")
    const isAnswer = (each: Frame): boolean => each.type === frameType.ping && each.flags === flag.ack && each.payload.toString() === "alive? !"
    await orEnd(client, target, () => client.ending !== "open" || client.frames.some(isAnswer), "an answer to PING, or the end,")
  }
  return { name, kind: "goes on", run }
}

/** Waits as `waitFor` does, but the end of the connection may be what is waited for. */
export async function orEnd(client: RawH2Client, target: Target, come: () => boolean, what: string): Promise<void> {
  if (!come()) await client.waitFor(come, what, patience(target)).catch((error: unknown) => rethrowUnless(come(), error))
}

function rethrowUnless(fine: boolean, error: unknown): void {
  if (!fine) throw error
}

/** The four pseudo fields, with changes; undefined takes one out. */
export function get(target: Target, changes: Readonly<Record<string, string | undefined>> = {}): Field[] {
  const pseudo = {
    ":method": "GET",
    ":scheme": target.tls ? "https" : "http",
    ":path": target.path ?? "/",
    ":authority": target.authority ?? `127.0.0.1:${target.port}`,
    ...changes,
  }
  return Object.entries(pseudo).filter((entry): entry is [string, string] => entry[1] !== undefined)
}

export function post(target: Target, changes: Readonly<Record<string, string | undefined>> = {}): Field[] {
  return get(target, { ":method": "POST", ...changes })
}

/** Fields that only take room. */
export function filler(count = 1, length = 4000): Field[] {
  return Array.from({ length: count }, (_, index) => [`x-filler${index}`, "x".repeat(length)] as const)
}

/** Waits until the server has ended stream 1. */
export async function answerOver(client: RawH2Client, target: Target): Promise<void> {
  await client.response(1, patience(target))
}

const ended = { end: true } as const

/** GET on stream 1, whole. */
export function sendGet(client: RawH2Client, target: Target): void {
  client.headers(1, get(target), ended)
}

/** The head of a POST on stream 1. */
export function sendPost(client: RawH2Client, target: Target): void {
  client.headers(1, post(target))
}
