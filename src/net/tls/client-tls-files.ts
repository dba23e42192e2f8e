import { readDataFile } from "../../base/index.ts"

/** The files of TLS towards peers; null = none. */
export interface ClientTlsFiles {
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

/** Their texts, as `ClientTls` takes them. Throws FileError. */
export function readClientTlsFiles({ ca, cert, key }: ClientTlsFiles): { ca?: string; cert?: string; key?: string } {
  return {
    ...(ca === null ? {} : { ca: readDataFile(ca) }),
    ...(cert === null ? {} : { cert: readDataFile(cert) }),
    ...(key === null ? {} : { key: readDataFile(key) }),
  }
}
