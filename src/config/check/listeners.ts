import { type Address, normaliseIp } from "../../base/index.ts"
import { type ConfigPath, type Finding, pathText, valueAt } from "../problem.ts"
import { isLoopback } from "../schema/address.ts"
import { error, type Subject } from "./subject.ts"

/** A config without listeners, and addresses that are bound twice. */
export function checkListeners(subject: Subject): Finding[] {
  const none = hasNoListeners(subject)
  return [
    ...(none ? [error([], 'no listener is defined; the proxy would hear nobody. Write, for example, listeners: { web: { bind: ":8080" } }')] : []),
    ...checkAddresses(subject),
  ]
}

/** Beside an unknown section the sentence would most likely be about the same slip: `liseners:`. */
function hasNoListeners({ config, raw }: Subject): boolean {
  const content = valueAt(raw, ["listeners"]) ?? {}
  const known = Object.keys(raw as object).every(section => Object.hasOwn(config, section))
  return known && typeof content === "object" && !Array.isArray(content) && Object.keys(content).length === 0
}

function checkAddresses({ config, raw }: Subject): Finding[] {
  const first = new Map<string, ConfigPath>()
  const binds = Object.entries(config.listeners).flatMap(([name, listener]) =>
    listener.bind.map((bind, i) => ({ bind, path: bindPath(raw, name, i) })),
  )
  if (config.admin) binds.push({ bind: config.admin.bind, path: ["admin", "bind"] })
  return binds.flatMap(({ bind, path }) => {
    const address = canonical(bind)
    const before = address === null ? undefined : first.get(address)
    if (before) return [error(path, `${pathText(before)} already binds this address`)]
    if (address !== null) first.set(address, path)
    return []
  })
}

function bindPath(raw: unknown, name: string, index: number): ConfigPath {
  const path: ConfigPath = ["listeners", name, "bind"]
  return Array.isArray(valueAt(raw, path)) ? [...path, index] : path
}

/** One text for all ways to write an address; null when it can be bound twice (port 0). */
function canonical(bind: Address): string | null {
  if ("path" in bind) return `unix:${bind.path}`
  if (bind.port === 0) return null
  const host = normaliseIp(bind.host) ?? bind.host
  return `${host === "::" || host === "0.0.0.0" ? "" : host} ${bind.port}`
}

/** An address that other machines can reach. */
export function isOpen(binds: readonly Address[]): boolean {
  return binds.some(bind => !isLoopback(bind))
}
