import { readdirSync } from "node:fs"
import { dirname } from "node:path"
import { readDataFile } from "../../base/index.ts"
import { plainServerName } from "../connection-info.ts"
import { challengePath, isCertificateName } from "./automatic-files.ts"
import { type NativeContext, nativeContext } from "./context.ts"

/** The certificates of TLS-ALPN-01 challenges that are under way. They are files, so that every worker has them, and every instance that shares the folder. */
export class ChallengeCertificates {
  private readonly folder: string

  /** `folder`: that of the automatic certificates. */
  constructor(folder: string) {
    this.folder = folder
  }

  /** Whether any challenge is under way. */
  any(): boolean {
    try {
      return readdirSync(dirname(challengePath(this.folder, "any"))).some(file => file.endsWith(".pem"))
    } catch {
      return false
    }
  }

  /** What proves this name; undefined = nothing is under way for it. */
  contextFor(serverName: string): NativeContext | undefined {
    const name = plainServerName(serverName)
    if (!isCertificateName(name)) return undefined
    try {
      const bundle = readDataFile(challengePath(this.folder, name))
      return nativeContext({ cert: bundle, key: bundle })
    } catch {
      return undefined
    }
  }
}
