import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { FileError } from "../../../base/index.ts"
import { Authority, createAuthority } from "../../../net/index.ts"
import { writePrivate } from "../store/write-private.ts"

export interface LocalAuthorityOptions {
  /** Common name. Default: `Bothways local authority (HOST)`. */
  readonly name?: string
  /** Default 3650. */
  readonly days?: number
  /** Domains that it may sign for. Default: all. */
  readonly domains?: readonly string[]
}

/** Where the local authority of a certificate directory is: both halves in one file for us alone, and its certificate beside. */
export function authorityPaths(directory: string): { readonly bundle: string; readonly cert: string } {
  const folder = join(directory, "authority")
  return { bundle: join(folder, "authority.pem"), cert: join(folder, "ca.pem") }
}

/** The local authority of a directory; null = there is none. Throws FileError when what is there cannot be used. */
export function readLocalAuthority(directory: string): Authority | null {
  const { bundle } = authorityPaths(directory)
  if (!existsSync(bundle)) return null
  try {
    const text = readFileSync(bundle, "utf8")
    return new Authority({ cert: text.slice(text.indexOf("-----BEGIN CERTIFICATE-----")), key: text })
  } catch (error) {
    throw new FileError(bundle, `it holds no authority: ${(error as Error).message}`)
  }
}

/** Makes the local authority where there is none. Of two that begin at the same moment, the first one's stays. */
export function ensureLocalAuthority(directory: string, options: LocalAuthorityOptions = {}): { authority: Authority; made: boolean } {
  const there = readLocalAuthority(directory)
  if (there !== null) return { authority: there, made: false }
  const { name = `Bothways local authority (${hostname()})`, days = 3650, domains } = options
  const pair = createAuthority({ name, days, ...(domains === undefined ? {} : { domains }) })
  const made = placeOnce(authorityPaths(directory).bundle, pair.key + pair.cert)
  const authority = readLocalAuthority(directory)!
  writePrivate(authorityPaths(directory).cert, authority.cert, 0o644)
  return { authority, made }
}

/** False = another one was there first. */
function placeOnce(path: string, content: string): boolean {
  const next = `${path}.${process.pid}.first`
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 })
  writeFileSync(next, content, { mode: 0o600 })
  try {
    linkSync(next, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    return false
  } finally {
    rmSync(next, { force: true })
  }
}
