import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Pair {
  cert: string
  key: string
}

export interface CertificateRequest {
  /** Subject alternative names in OpenSSL's words: `DNS:a.test,IP:127.0.0.1`; none when absent. */
  names?: string
  commonName?: string
  signedBy?: Pair
  /** Days from now; negative = expired. Default 30. */
  days?: number
  authority?: boolean
}

/** Certificates for tests, made by the openssl command. */
export function makePair(request: CertificateRequest): Pair {
  const folder = mkdtempSync(join(tmpdir(), "bothways-pem-"))
  try {
    const file = (name: string): string => join(folder, name)
    run(
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      file("key"),
      "-out",
      file("csr"),
      "-subj",
      `/CN=${request.commonName ?? "test"}`,
    )
    const names = request.names === undefined ? "" : `subjectAltName=${request.names}\n`
    writeFileSync(file("ext"), `${names}basicConstraints=critical,CA:${request.authority === true ? "TRUE" : "FALSE"}\n`)
    const signer = request.signedBy === undefined ? ["-signkey", file("key")] : signerFiles(file, request.signedBy)
    run("x509", "-req", "-in", file("csr"), ...signer, "-extfile", file("ext"), "-out", file("cert"), ...validity(request.days ?? 30))
    return { cert: readFileSync(file("cert"), "utf8"), key: readFileSync(file("key"), "utf8") }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function signerFiles(file: (name: string) => string, signer: Pair): string[] {
  writeFileSync(file("ca"), signer.cert)
  writeFileSync(file("ca-key"), signer.key)
  return ["-CA", file("ca"), "-CAkey", file("ca-key"), "-set_serial", String(Date.now() * 1000 + Math.floor(Math.random() * 1000))]
}

/** `openssl x509` counts days from now; an end in the past needs the whole span moved, which its `-days` with a negative number does. */
function validity(days: number): string[] {
  return ["-days", String(days)]
}

function run(...words: string[]): void {
  const { status, stderr } = spawnSync("openssl", words, { encoding: "utf8" })
  if (status !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`)
}
