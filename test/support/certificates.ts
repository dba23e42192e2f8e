import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "./processes.ts"

/** A certificate with its key, as files and as PEM text. */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** A certificate authority of the test's own. */
export class Authority {
  readonly folder = temporaryFolder("ca")
  readonly ca: Certificate
  private issued = 0

  constructor(name = "Bothways test CA") {
    this.ca = this.files("ca")
    openssl("req", "-x509", ...newKey, "-keyout", this.ca.keyFile, "-out", this.ca.certFile, "-days", "30", "-subj", `/CN=${name}`)
  }

  /** Issues for these DNS names and IP addresses; the first is the common name. `days` may be 0: expired before anybody can use it. */
  issue(names: readonly string[], days = 30): Certificate {
    const made = this.files(`leaf${this.issued++}`)
    const request = `${made.certFile}.csr`
    const extensions = `${made.certFile}.ext`
    const alternatives = names.map(name => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(",")
    writeFileSync(extensions, `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    openssl("req", ...newKey, "-keyout", made.keyFile, "-out", request, "-subj", `/CN=${names[0]}`)
    const authority = ["-CA", this.ca.certFile, "-CAkey", this.ca.keyFile, "-CAcreateserial"]
    openssl("x509", "-req", "-in", request, ...authority, "-out", made.certFile, "-days", String(days), "-extfile", extensions)
    return made
  }

  private files(name: string): Certificate {
    const certFile = join(this.folder, `${name}.crt`)
    const keyFile = join(this.folder, `${name}.key`)
    return {
      certFile,
      keyFile,
      get cert() {
        return readFileSync(certFile, "utf8")
      },
      get key() {
        return readFileSync(keyFile, "utf8")
      },
    }
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] })
}
