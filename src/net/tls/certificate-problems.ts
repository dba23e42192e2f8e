import { FileError } from "../../base/index.ts"
import { type CertificateFiles, type CertificatePair, checkPair, readAuthorities, readCertificates, readKey } from "./certificate-pair.ts"
import type { TlsListenOptions } from "./certificate-store.ts"
import type { ClientTlsFiles } from "./client-tls-files.ts"
import { nativeContext } from "./context.ts"
import { validityProblem } from "./validity.ts"

/** What an operator should know of TLS settings. */
export interface CertificateProblem {
  /** An error keeps the listener, or the cluster, from starting. */
  readonly severity: "error" | "warning"
  /** Where in the settings: `["certificates", 0, "cert"]`. */
  readonly at: readonly (string | number)[]
  readonly text: string
}

/** What stands in the way of a TLS listener, or soon will; reads the files and changes nothing. */
export function certificateProblems(options: TlsListenOptions, nowMs: number = Date.now()): readonly CertificateProblem[] {
  const { clientCertificates = "off" } = options
  const read = options.certificates.map((files, i) => readBoth(["certificates", i], files))
  const pairs = read.flatMap(({ pair }) => (pair === null ? [] : [pair]))
  const ca = clientCertificates === "off" ? [] : attempt(["clientCertificates", "ca"], () => readAuthorities(clientCertificates.ca)).problems
  return [
    ...read.flatMap(({ problems }) => problems),
    ...ca,
    ...cipherProblems(options, pairs[0]),
    ...read.flatMap(({ pair }, i) => (pair === null ? [] : dateProblems(["certificates", i, "cert"], pair, nowMs))),
    ...nameProblems(read.map(({ pair }) => pair)),
  ]
}

/** The same of TLS towards peers. */
export function clientTlsProblems({ ca, cert, key }: ClientTlsFiles, nowMs: number = Date.now()): readonly CertificateProblem[] {
  const problems = ca === null ? [] : attempt(["ca"], () => readAuthorities(ca)).problems
  if (cert === null && key === null) return problems
  if (key === null) return [...problems, { severity: "error", at: ["key"], text: '"key" is missing: a certificate needs its private key' }]
  if (cert === null) return [...problems, { severity: "error", at: ["cert"], text: '"cert" is missing: a private key needs its certificate' }]
  const own = readBoth([], { cert, key })
  return [...problems, ...own.problems, ...(own.pair === null ? [] : dateProblems(["cert"], own.pair, nowMs))]
}

type At = CertificateProblem["at"]

interface Outcome<T> {
  readonly value: T | null
  readonly problems: readonly CertificateProblem[]
}

/** Both files, so that what is wrong with either is said. */
function readBoth(at: At, files: CertificateFiles): { pair: CertificatePair | null; problems: readonly CertificateProblem[] } {
  const cert = attempt([...at, "cert"], () => readCertificates(files.cert))
  const key = attempt([...at, "key"], () => readKey(files.key))
  const { value: certificates } = cert
  const { value: privateKey } = key
  if (certificates === null || privateKey === null) return { pair: null, problems: [...cert.problems, ...key.problems] }
  const both = attempt([...at, "key"], () => checkPair(files, certificates, privateKey))
  return { pair: both.value, problems: both.problems }
}

function attempt<T>(at: At, run: () => T): Outcome<T> {
  try {
    return { value: run(), problems: [] }
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    return { value: null, problems: [{ severity: "error", at, text: error.message }] }
  }
}

function cipherProblems({ ciphers, minVersion }: TlsListenOptions, pair: CertificatePair | undefined): CertificateProblem[] {
  if (ciphers === undefined || pair === undefined) return []
  try {
    nativeContext({ cert: pair.cert, key: pair.key, minVersion, ciphers })
    return []
  } catch {
    return [
      {
        severity: "error",
        at: ["ciphers"],
        text: `no usable cipher is in ${JSON.stringify(ciphers)}; expected OpenSSL's names of TLS 1.2, joined by colons`,
      },
    ]
  }
}

function dateProblems(at: At, pair: CertificatePair, nowMs: number): CertificateProblem[] {
  const text = validityProblem(pair, nowMs)
  return text === null ? [] : [{ severity: "warning", at, text: `${pair.files.cert}: ${text}` }]
}

function nameProblems(pairs: readonly (CertificatePair | null)[]): CertificateProblem[] {
  const found: CertificateProblem[] = []
  const owners = new Map<string, string>()
  for (const [i, pair] of pairs.entries()) {
    if (pair === null) continue
    const file = pair.files.cert
    const warn = (text: string): void => void found.push({ severity: "warning", at: ["certificates", i, "cert"], text: `${file}: ${text}` })
    if (pair.names.length === 0) warn("it bears no host name, so it serves only as the default")
    for (const name of pair.names) {
      const owner = owners.get(name)
      if (owner === undefined) owners.set(name, file)
      else if (owner !== file) warn(`${name} is in ${owner} already, and the first one serves it`)
    }
  }
  return found
}
