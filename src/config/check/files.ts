import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { accessSync, constants, readFileSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { type ConfigPath, type Finding, valueAt } from "../problem.ts"
import type { FilterUse } from "../schema/route.ts"
import type { ClusterTlsConfig, ListenerConfig } from "../schema.ts"
import { error, type Subject, warning } from "./subject.ts"

/** Files that the config names: there, readable, of the right kind, and fitting together. */
export function checkFiles(subject: Subject): Finding[] {
  const { config, routeIndex } = subject
  return [
    ...Object.entries(config.listeners).flatMap(([name, listener]) => checkListener(["listeners", name], listener)),
    ...Object.entries(config.clusters).flatMap(([name, cluster]) => (cluster.tls ? checkClusterTls(["clusters", name, "tls"], cluster.tls) : [])),
    ...config.routes.flatMap((route, i) =>
      route.to.kind === "files" ? checkRoot(["routes", routeIndex[i]!, "to", "files", "root"], route.to.root) : [],
    ),
    ...config.routes.flatMap((route, i) =>
      route.filters.flatMap((use, j) => checkFilter(["routes", routeIndex[i]!, "filters", j, use.name], use, subject)),
    ),
    ...checkLogFile(config.observe.accessLog.to),
  ]
}

function checkListener(at: ConfigPath, { tls, forward }: ListenerConfig): Finding[] {
  const pairs = tls?.certificates.flatMap((pair, i) => checkPair([...at, "tls", "certificates", i], pair.cert, pair.key)) ?? []
  const ca = tls?.clientCertificates ? checkAuthorities([...at, "tls", "clientCertificates", "ca"], tls.clientCertificates.ca) : []
  const users = forward?.auth ? checkUsers([...at, "forward", "auth", "htpasswd"], forward.auth.htpasswd) : []
  return [...pairs, ...ca, ...users]
}

/** Several filters ask for passwords, each with its file under this key; what is missing must show when the config is checked, not first when it is used. */
function checkFilter(at: ConfigPath, { options }: FilterUse, { baseDir }: Subject): Finding[] {
  const file = valueAt(options, ["htpasswd"])
  return typeof file === "string" ? checkUsers([...at, "htpasswd"], resolve(baseDir, file)) : []
}

function checkClusterTls(at: ConfigPath, { ca, cert, key }: ClusterTlsConfig): Finding[] {
  const findings = ca === null ? [] : checkAuthorities([...at, "ca"], ca)
  if (cert !== null && key !== null) findings.push(...checkPair(at, cert, key))
  else if (cert !== null) findings.push(error([...at, "key"], '"key" is missing: a certificate needs its private key'))
  else if (key !== null) findings.push(error([...at, "cert"], '"cert" is missing: a private key needs its certificate'))
  return findings
}

function checkPair(at: ConfigPath, certFile: string, keyFile: string): Finding[] {
  const cert = readCertificate([...at, "cert"], certFile)
  const key = readKey([...at, "key"], keyFile)
  const findings = [...cert.findings, ...key.findings]
  if (cert.value && key.value && !cert.value.checkPrivateKey(key.value))
    findings.push(error([...at, "key"], `the key does not belong to the certificate ${certFile}`))
  if (cert.value) findings.push(...checkDates([...at, "cert"], cert.value))
  return findings
}

export function checkDates(at: ConfigPath, cert: Pick<X509Certificate, "validFrom" | "validTo">, now = Date.now()): Finding[] {
  if (Date.parse(cert.validTo) < now) return [warning(at, `the certificate ended at ${cert.validTo}`)]
  return Date.parse(cert.validFrom) > now ? [warning(at, `the certificate is not valid before ${cert.validFrom}`)] : []
}

interface Outcome<T> {
  readonly value: T | null
  readonly findings: Finding[]
}

function readCertificate(at: ConfigPath, file: string): Outcome<X509Certificate> {
  return parseFile(at, file, "a certificate in PEM form", text => new X509Certificate(text))
}

function readKey(at: ConfigPath, file: string): Outcome<KeyObject> {
  return parseFile(at, file, "an unencrypted private key in PEM form", text => createPrivateKey(text))
}

function checkAuthorities(at: ConfigPath, file: string): Finding[] {
  return parseFile(at, file, "certificates in PEM form", text => {
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new Error("none found")
    return blocks.map(block => new X509Certificate(block))
  }).findings
}

function checkUsers(at: ConfigPath, file: string): Finding[] {
  return parseFile(at, file, "lines of the form user:hash", text => {
    const lines = text.split(/\r?\n/).filter(line => line.trim() !== "" && !line.startsWith("#"))
    if (lines.length === 0 || lines.some(line => !/^[^:]+:[^:\s]/.test(line))) throw new Error("not so")
    return lines
  }).findings
}

/** The parser's own words are left out: they may quote what a key file holds. */
function parseFile<T>(at: ConfigPath, file: string, expected: string, parse: (text: string) => T): Outcome<T> {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (failure) {
    return { value: null, findings: [error(at, readSentence(file, failure))] }
  }
  try {
    return { value: parse(text), findings: [] }
  } catch {
    return { value: null, findings: [error(at, `${file} does not hold ${expected}`, { expected })] }
  }
}

function readSentence(file: string, failure: unknown): string {
  const code = (failure as { code?: string }).code
  if (code === "ENOENT" || code === "ENOTDIR") return `there is no such file: ${file}`
  if (code === "EACCES") return `${file} may not be read: permission denied`
  if (code === "EISDIR") return `${file} is a directory, not a file`
  return `${file} cannot be read: ${(failure as Error).message}`
}

function checkRoot(at: ConfigPath, root: string): Finding[] {
  try {
    return statSync(root).isDirectory() ? [] : [error(at, `${root} is a file, not a directory`)]
  } catch {
    return [warning(at, `there is no directory ${root}; every request gets 404 until there is`)]
  }
}

function checkLogFile(target: { kind: string; path?: string }): Finding[] {
  if (target.path === undefined) return []
  try {
    accessSync(dirname(target.path), constants.W_OK)
    return []
  } catch {
    return [error(["observe", "accessLog", "to", "file"], `the directory ${dirname(target.path)} does not exist or cannot be written to`)]
  }
}
