import { readDataFile } from "../../base/index.ts"
import type { ParentConfig } from "../schema/parent.ts"

/** Parents that speak SOCKS open a connection for each origin; the others are asked in HTTP. */
export function isSocksKind(kind: ParentConfig["kind"]): boolean {
  return kind !== "http" && kind !== "https"
}

/** Who we are towards a parent. Read at each compile, so that a reload takes a new password. */
export interface ParentLogin {
  readonly user: string
  readonly password: string
  /** "" = user and password. */
  readonly token: string
}

/** null = the parent asks for nothing. Throws FileError for a file that cannot be read. */
export function parentLogin(parent: ParentConfig | null): ParentLogin | null {
  if (parent === null) return null
  const token = parent.token ?? (parent.tokenFile === null ? "" : firstLine(parent.tokenFile))
  if (token !== "") return { user: "", password: "", token }
  if (parent.user === null) return null
  return { user: parent.user, password: parent.password ?? (parent.passwordFile === null ? "" : firstLine(parent.passwordFile)), token: "" }
}

/** The line for requests to the parent and nobody else (RFC 9110 section 11.7.2), with its line break; "" = none. */
export function loginLine(login: ParentLogin | null): string {
  if (login === null) return ""
  const { user, password, token } = login
  const value = token === "" ? `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` : `Bearer ${token}`
  return `Proxy-Authorization: ${value}\r\n`
}

/** The first line of a file with a secret in it. */
export function firstLine(path: string): string {
  return readDataFile(path).split(/\r?\n/, 1)[0]!
}
