import type { Exchange } from "../../flow/index.ts"
import { NAME } from "../../http/index.ts"

export interface CookieEdit {
  /** null = all. */
  readonly names: ReadonlySet<string> | null
  readonly secure: boolean | "auto" | null
  readonly httpOnly: boolean | null
  readonly sameSite: "Strict" | "Lax" | "None" | null
  readonly path: Readonly<Record<string, string>>
  readonly domain: Readonly<Record<string, string>>
  readonly remove: ReadonlySet<string>
}

/** Changes the Set-Cookie fields of an answer, those that came and those that filters before have added, in their order. */
export function editSetCookies(x: Exchange, edit: CookieEdit): void {
  const { response } = x
  const added: string[] = []
  if (response.has(NAME.setCookie)) {
    for (let i = response.indexOf(NAME.setCookie); i >= 0; i = response.indexOf(NAME.setCookie, i + 1)) added.push(response.valueAt(i))
    response.remove(NAME.setCookie)
  }
  const rest = response.extra.replace(/^set-cookie:[ \t]*([^\r]*)\r\n/gim, (_line, value: string) => {
    added.push(value)
    return ""
  })
  if (added.length === 0) return
  const secure = edit.secure === "auto" ? (x.scheme === "https" ? true : null) : edit.secure
  let lines = ""
  for (const value of added) {
    const name = value.split("=", 1)[0]!.trim()
    if (edit.remove.has(name)) continue
    const meant = edit.names === null || edit.names.has(name)
    lines += `Set-Cookie: ${meant ? editSetCookie(value, { ...edit, secure }) : value}\r\n`
  }
  response.extra = rest + lines
}

/** One value of Set-Cookie with other attributes (RFC 6265 section 4.1.1). Those that are not named stay as they are. */
export function editSetCookie(value: string, edit: Omit<CookieEdit, "secure"> & { readonly secure: boolean | null }): string {
  const [pair = "", ...attributes] = value.split(";")
  const out = [pair]
  for (const attribute of attributes) {
    const kept = editAttribute(attribute, edit)
    if (kept !== null) out.push(kept)
  }
  if (edit.secure === true || edit.sameSite === "None") out.push(" Secure")
  if (edit.httpOnly === true) out.push(" HttpOnly")
  if (edit.sameSite !== null) out.push(` SameSite=${edit.sameSite}`)
  return out.join(";")
}

/** null = it goes. */
function editAttribute(attribute: string, edit: Omit<CookieEdit, "secure"> & { readonly secure: boolean | null }): string | null {
  const equals = attribute.indexOf("=")
  const name = (equals < 0 ? attribute : attribute.slice(0, equals)).trim().toLowerCase()
  const value = equals < 0 ? "" : attribute.slice(equals + 1).trim()
  switch (name) {
    case "secure":
      return edit.secure === null && edit.sameSite !== "None" ? attribute : null
    case "httponly":
      return edit.httpOnly === null ? attribute : null
    case "samesite":
      return edit.sameSite === null ? attribute : null
    case "path":
      return editPath(attribute, value, edit.path)
    case "domain": {
      const to = edit.domain[value.replace(/^\./, "").toLowerCase()]
      return to === undefined ? attribute : to === "" ? null : ` Domain=${to}`
    }
    default:
      return attribute
  }
}

function editPath(attribute: string, value: string, paths: CookieEdit["path"]): string {
  for (const [from, to] of Object.entries(paths)) {
    if (!value.startsWith(from)) continue
    const rest = value.slice(from.length)
    // `/inner` means whole segments.
    if (rest !== "" && !rest.startsWith("/") && !from.endsWith("/")) continue
    const joined = to.endsWith("/") && rest.startsWith("/") ? to + rest.slice(1) : to + rest
    return ` Path=${joined === "" ? "/" : joined}`
  }
  return attribute
}
