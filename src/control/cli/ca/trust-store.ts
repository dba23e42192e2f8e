import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { accessSync, constants, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { UsageError } from "../usage-error.ts"

export interface TrustChange {
  /** The authority's certificate. */
  readonly pem: string
  /** Folder of authorities; null = the system's. */
  readonly into: string | null
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Where systems keep the authorities of their operators, and the command that takes them up. */
const stores = [
  { command: "update-ca-certificates", folder: "/usr/local/share/ca-certificates" },
  { command: "update-ca-trust", folder: "/etc/pki/ca-trust/source/anchors" },
]

/** Puts the certificate into the system's store. Gives its file. Throws UsageError when that cannot be done. */
export function installAuthority(change: TrustChange): string {
  const { command, file } = place(change)
  attempt(() => {
    mkdirSync(join(file, ".."), { recursive: true })
    writeFileSync(file, change.pem, { mode: 0o644 })
  })
  update(command, change)
  return file
}

/** Takes it out again. */
export function removeAuthority(change: TrustChange): string {
  const { command, file } = place(change)
  if (!existsSync(file)) throw new UsageError(`it is not installed: there is no ${file}`)
  attempt(() => rmSync(file))
  update(command, change)
  return file
}

function place({ pem, into, env }: TrustChange): { command: string; file: string } {
  const store = stores.find(({ command }) => find(command, env) !== null)
  if (store === undefined)
    throw new UsageError("neither update-ca-certificates nor update-ca-trust is here; `bothways ca export` gives the certificate to install by hand")
  const id = createHash("sha256").update(pem).digest("hex").slice(0, 12)
  return { command: find(store.command, env)!, file: join(into ?? store.folder, `bothways-${id}.crt`) }
}

function find(command: string, env: TrustChange["env"]): string | null {
  const folders = [...(env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"]
  return folders.map(folder => join(folder, command)).find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function update(command: string, { env }: TrustChange): void {
  const { status, stderr, error } = spawnSync(command, [], { env: env as NodeJS.ProcessEnv, encoding: "utf8", timeout: 60_000 })
  if (status !== 0) throw new UsageError(`${command} failed: ${error?.message ?? (stderr.trim() || `it ended with ${status}`)}`)
}

function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new UsageError(code === "EACCES" || code === "EPERM" ? `${message}; this needs root` : message)
  }
}
