import { accessSync, constants, existsSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { FileError, readDataFile } from "../../base/index.ts"
import { HOST_BELOW } from "../../route/index.ts"
import { automaticNames, routedHosts, usesAutomatic } from "../automatic-names.ts"
import { isPublicName } from "../certificate-name.ts"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { ListenerConfig } from "../schema.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Automatic certificates: names to make them for, a way to prove those, and what issuers and files need. */
export function checkCertificates(subject: Subject): Finding[] {
  const { config, raw } = subject
  const bare = Object.entries(config.listeners).flatMap(([name, { tls }]) =>
    tls !== null && tls.auto === null && tls.certificates.length === 0
      ? [error(["listeners", name, "tls"], 'TLS needs a certificate: list some under "certificates", or write tls: auto to have them made')]
      : [],
  )
  if (!usesAutomatic(config)) {
    const unused = subject.whole && valueAt(raw, ["acme"]) !== undefined
    return unused ? [...bare, warning(["acme"], "no listener has tls: auto, so no certificate is made", "key")] : bare
  }
  const listeners = Object.entries(config.listeners).filter(([, { tls }]) => tls?.auto)
  return [
    ...bare,
    ...listeners.flatMap(([name]) => checkNames(name, subject)),
    ...checkCount(subject),
    ...checkProofs(subject),
    ...checkIssuers(subject),
    ...checkDirectory(subject),
  ]
}

function checkNames(listener: string, { config, raw, whole }: Subject): Finding[] {
  const at: ConfigPath = ["listeners", listener, "tls"]
  const names = automaticNames(config, listener)
  const written = config.listeners[listener]!.tls!.auto!.names
  const below = written === null ? routedHosts(config, listener, HOST_BELOW) : []
  const place = (name: string): ConfigPath => {
    const list = valueAt(raw, [...at, "auto", "names"])
    const index = Array.isArray(list) ? list.findIndex(entry => String(entry).toLowerCase() === name) : -1
    return index < 0 ? at : [...at, "auto", "names", index]
  }
  const wildcards = names.filter(name => name.startsWith("*."))
  const provable = config.acme.challenges.some(challenge => challenge.name === "dns-01") || config.acme.issuers.every(issuer => issuer.url === "")
  return [
    // A route that is not valid may be the one with the names.
    ...(names.length === 0 && config.acme.onDemand === null && whole
      ? [
          error(
            at,
            "tls: auto finds no name: no route of this listener has an exact host. Give routes a match.host, list tls.auto.names, or allow acme.onDemand",
          ),
        ]
      : []),
    ...(provable ? [] : wildcards.map(name => error(place(name), `${name} can only be proven by dns-01: add it to acme.challenges`))),
    ...(config.acme.onDemand === null && names.length > 0
      ? below.map(host =>
          warning(at, `no certificate is made for *.${host}, which a route serves: list it in tls.auto.names, or allow acme.onDemand`),
        )
      : []),
  ]
}

function checkCount({ config }: Subject): Finding[] {
  const names = new Set(Object.keys(config.listeners).flatMap(listener => automaticNames(config, listener)))
  const { namesMax } = config.acme
  return names.size > namesMax ? [error(["acme", "namesMax"], `${names.size} names need a certificate, and namesMax is ${namesMax}`)] : []
}

/** Issuers come to port 443 or 80 of the name, whatever is in between. */
function checkProofs({ config }: Subject): Finding[] {
  const { acme, listeners } = config
  if (!acme.issuers.some(issuer => issuer.isPublic) || !hasPublicName(config)) return []
  const all = Object.values(listeners)
  const works = (challenge: string): boolean => {
    if (challenge === "dns-01") return true
    const [port, able] = challenge === "http-01" ? [80, isPlain] : [443, isAutomatic]
    return all.some(listener => able(listener) && listener.bind.some(bind => "port" in bind && bind.port === port))
  }
  if (acme.challenges.some(({ name }) => works(name))) return []
  const wants = acme.challenges.map(({ name }) =>
    name === "http-01" ? "http-01 a plain listener on port 80" : "tls-alpn-01 a tls: auto listener on port 443",
  )
  const text = `issuers may find nobody to prove the names: ${wants.join(", ")}; without it something in front has to forward that port to us`
  return [warning(["acme", "challenges"], text)]
}

const isPlain = ({ tls }: ListenerConfig): boolean => tls === null
const isAutomatic = ({ tls }: ListenerConfig): boolean => tls !== null && tls.auto !== null

function hasPublicName(config: Subject["config"]): boolean {
  return config.acme.onDemand !== null || Object.keys(config.listeners).some(listener => automaticNames(config, listener).some(isPublicName))
}

/** Issuers that take nobody without an account of their own. */
const WANT_EAB = ["zerossl", "google"]
const WANT_EMAIL = ["zerossl", "google"]

function checkIssuers({ config, raw }: Subject): Finding[] {
  const { acme } = config
  const missing = acme.issuers.flatMap((issuer, i) =>
    issuer.isPublic && WANT_EAB.includes(issuer.name) && issuer.eab === null
      ? [
          error(
            ["acme", "issuers", i],
            `${issuer.name} gives certificates to its customers only: write { url: ${issuer.name}, eab: { kid: …, hmacKey: … } }`,
          ),
        ]
      : [],
  )
  const files = acme.issuers.flatMap((issuer, i) => (issuer.ca === null ? [] : readable(["acme", "issuers", i, "ca"], issuer.ca)))
  const wanting = acme.email === null ? acme.issuers.filter(issuer => issuer.isPublic && WANT_EMAIL.includes(issuer.name)) : []
  const email = wanting.map(issuer => warning(["acme"], `${issuer.name} wants an e-mail address: write acme.email`, "key"))
  return [
    ...missing,
    ...files,
    ...email,
    ...acme.challenges.flatMap((challenge, i) => (challenge.name === "dns-01" ? checkHook(challengePath(raw, i), challenge.options.command) : [])),
  ]
}

function readable(at: ConfigPath, file: string): Finding[] {
  try {
    readDataFile(file)
    return []
  } catch (failure) {
    if (!(failure instanceof FileError)) throw failure
    return [error(at, failure.message)]
  }
}

/** One challenge may be written without a list around it. */
function challengePath(raw: unknown, index: number): ConfigPath {
  const at: ConfigPath = ["acme", "challenges"]
  return Array.isArray(valueAt(raw, at)) ? [...at, index, "dns-01"] : [...at, "dns-01"]
}

function checkHook(at: ConfigPath, command: readonly string[]): Finding[] {
  const program = command[0]!
  const places = program.includes("/") ? [program] : (process.env.PATH ?? "").split(delimiter).map(folder => join(folder, program))
  if (places.some(isExecutable)) return []
  return [error([...at, "command"], `${program} is no program that can be run`)]
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function checkDirectory({ config }: Subject): Finding[] {
  const { directory } = config.acme
  let there = directory
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  try {
    accessSync(there, constants.W_OK)
    return []
  } catch {
    return [error(["acme", "directory"], `certificates cannot be kept in ${directory}: no right to write to ${there}`)]
  }
}
