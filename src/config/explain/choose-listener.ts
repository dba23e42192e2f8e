import { type Address, ipFamily, normaliseIp } from "../../base/index.ts"
import type { Config, ListenerConfig } from "../schema.ts"
import { ExplainError } from "./explain-error.ts"
import type { Target } from "./request-text.ts"

export interface ChosenListener {
  readonly name: string
  readonly config: ListenerConfig
  readonly because: string
}

type Named = readonly [name: string, listener: ListenerConfig]

/** How well a bind fits the URL. */
const NOT = 0
/** The host may lead there: a name, or a bind to every address. */
const MAY = 1
/** The host is the address that is bound. */
const IS = 2

/**
 * Where a request comes in: the named listener; or the one whose address the URL names; or the only one that there is. CONNECT names no listener's
 * address but an origin's: it goes to the only one that takes forward requests. Throws ExplainError with the names when it is not clear.
 */
export function chooseListener(config: Config, method: string, target: Target, wanted: string | null): ChosenListener {
  const all = Object.entries(config.listeners).filter(([name, { dns }]) => dns === null || name === wanted)
  if (wanted !== null) {
    const listener = Object.hasOwn(config.listeners, wanted) ? config.listeners[wanted] : undefined
    if (listener === undefined) throw new ExplainError(`there is no listener ${JSON.stringify(wanted)}; expected one of ${names(all)}`)
    if (listener.dns !== null) throw new ExplainError(`the listener ${JSON.stringify(wanted)} answers DNS queries; no request comes by it`)
    return { name: wanted, config: listener, because: "it was named" }
  }
  const fitting = method === "CONNECT" ? all.filter(([, listener]) => listener.forward !== null) : best(all, target)
  if (fitting.length === 1) {
    const because = method === "CONNECT" ? "the only one that takes forward requests" : `the URL names its address`
    return chosen(fitting[0]!, because)
  }
  if (fitting.length === 0 && all.length === 1) return chosen(all[0]!, "the only one")
  const place = target.scheme === "" ? "a path alone" : `${target.scheme} at ${target.authority}`
  const why = fitting.length === 0 ? `no listener waits for ${place}` : `${fitting.length} listeners may be meant`
  throw new ExplainError(`${why}; say which one with --listener: ${names(fitting.length === 0 ? all : fitting)}`)
}

function chosen([name, config]: Named, because: string): ChosenListener {
  return { name, config, because }
}

function names(listeners: readonly Named[]): string {
  return listeners.map(([name]) => name).join(", ")
}

function best(all: readonly Named[], target: Target): Named[] {
  const fits = all.map(([, listener]) =>
    (listener.tls === null) === (target.scheme === "http") ? Math.max(...listener.bind.map(bind => fit(bind, target))) : NOT,
  )
  const most = Math.max(...fits)
  return most === NOT ? [] : all.filter((_, i) => fits[i] === most)
}

function fit(bind: Address, { host, port }: Target): number {
  if ("path" in bind || port === 0 || bind.port !== port) return NOT
  const bound = normaliseIp(bind.host) ?? bind.host
  const everywhere = bound === "" || bound === "0.0.0.0" || bound === "::"
  if (host === "localhost") return everywhere || bound.startsWith("127.") || bound === "::1" ? IS : NOT
  if (everywhere || ipFamily(host) === 0) return MAY
  return host === bound ? IS : NOT
}
