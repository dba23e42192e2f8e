import { CertificateError, type CertificatePair, readAuthorities, readPair } from "./certificate-pair.ts"
import type { CertificateProblem, TlsListenOptions } from "./certificate-store.ts"
import { nativeContext } from "./context.ts"
import { validityProblem } from "./validity.ts"

/** What stands in the way of a TLS listener, or soon will; reads the files and changes nothing. Made for `check`. */
export function certificateProblems(options: TlsListenOptions, nowMs: number = Date.now()): CertificateProblem[] {
  const problems: CertificateProblem[] = []
  const pairs: CertificatePair[] = []
  for (const files of options.certificates) {
    attempt(problems, () => {
      const pair = readPair(files)
      pairs.push(pair)
      build(options, pair)
    })
  }
  const { clientCertificates = "off" } = options
  if (clientCertificates !== "off") attempt(problems, () => readAuthorities(clientCertificates.ca))
  return [...problems, ...warnings(pairs, nowMs)]
}

function attempt(problems: CertificateProblem[], run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    problems.push({ severity: "error", file: error.file, text: error.message.slice(error.file.length + 2) })
  }
}

function build(options: TlsListenOptions, { cert, key, files }: CertificatePair): void {
  try {
    nativeContext({ cert, key, minVersion: options.minVersion, ciphers: options.ciphers })
  } catch (error) {
    throw new CertificateError(files.cert, (error as Error).message)
  }
}

function warnings(pairs: readonly CertificatePair[], nowMs: number): CertificateProblem[] {
  const found: CertificateProblem[] = []
  const owners = new Map<string, string>()
  for (const pair of pairs) {
    const file = pair.files.cert
    const warn = (text: string): void => void found.push({ severity: "warning", file, text })
    const outdated = validityProblem(pair, nowMs)
    if (outdated !== null) warn(outdated)
    if (pair.names.length === 0) warn("it bears no host name, so it serves only as the default")
    for (const name of pair.names) {
      const owner = owners.get(name)
      if (owner === undefined) owners.set(name, file)
      else if (owner !== file) warn(`${name} is in ${owner} already, and the first one serves it`)
    }
  }
  return found
}
