import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Authority } from "../../../net/index.ts"
import type { InspectConfig } from "../../schema/forward-inspect.ts"

/** Both halves of the authority that signs for every site. */
export interface AuthorityFiles {
  readonly cert: string
  readonly key: string
  /** Nobody has named them: they are where `bothways ca create` puts them. */
  readonly isOwn: boolean
}

/** Where the authority of a listener is; paths count from the config's directory, and are absolute here. */
export function authorityFiles({ ca }: Pick<InspectConfig, "ca">, directory: string): AuthorityFiles {
  if (ca !== null) return { ...ca, isOwn: false }
  const bundle = join(directory, "authority", "authority.pem")
  return { cert: bundle, key: bundle, isOwn: true }
}

/** Reads it. Throws with a text for the operator when it cannot be used; the key is never part of it. */
export function readAuthority({ cert, key, isOwn }: AuthorityFiles): Authority {
  const certText = read(cert, isOwn)
  const keyText = read(key, isOwn)
  if (readableByAll(key))
    throw new Error(
      `${key}: everybody on this machine may read the key of the authority, and with it be any site to those who trust it; \`chmod 600\` it`,
    )
  let authority: Authority
  try {
    authority = new Authority({ cert: certificateOf(certText), key: keyText })
  } catch (error) {
    throw new Error(`${cert}: it is of no use as an authority: ${(error as Error).message}`)
  }
  if (authority.validTo <= Date.now()) throw new Error(`${cert}: the authority ended on ${new Date(authority.validTo).toISOString().slice(0, 10)}`)
  return authority
}

function read(path: string, isOwn: boolean): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== "ENOENT") throw new Error(`${path}: ${message}`)
    throw new Error(
      isOwn ? `there is no authority (${path}); \`bothways ca create\` makes one, or name yours under ca` : `${path}: there is no such file`,
    )
  }
}

function readableByAll(path: string): boolean {
  return (statSync(path).mode & 0o004) !== 0
}

/** A file may hold a key in front of the certificate. */
function certificateOf(text: string): string {
  const at = text.indexOf("-----BEGIN CERTIFICATE-----")
  return at < 0 ? text : text.slice(at)
}
