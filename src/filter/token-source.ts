// HOT
import { z } from "zod"
import type { Exchange } from "../flow/index.ts"
import { type Fields, NAME } from "../http/index.ts"
import { dropField } from "./headers/edit-fields.ts"
import { cookiesOf, dropCookies, dropParameter, parameterCount } from "./request-edit.ts"

/** The request says two things where one is asked for: nobody knows which of them others would read. */
export const DOUBLED = "\r"

/** Where a request may carry a secret. */
export interface TokenSource {
  /** The secret, "" when there is none, DOUBLED when there are several. */
  read(x: Exchange): string
  /** Takes it out of what goes on. */
  remove(x: Exchange): void
}

const pattern = /^(authorization|field|cookie|parameter)(?::([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}))?$/

export const tokenSourceSchema = z
  .string()
  .refine(
    text => pattern.exec(text) !== null && (text === "authorization" || text.includes(":")),
    'expected "authorization", "authorization:Scheme", "field:x-token", "cookie:name" or "parameter:name"',
  )

/** Compiles one entry of `from`. `scheme`: what `authorization` alone means. */
export function tokenSource(text: string, scheme: string): TokenSource {
  const match = pattern.exec(text)!
  const name = match[2] ?? ""
  if (match[1] === "authorization") return new SchemeSource(name === "" ? scheme : name)
  if (match[1] === "cookie") return new CookieSource(name)
  return match[1] === "parameter" ? new ParameterSource(name) : new FieldSource(name.toLowerCase())
}

/** The first source that has something. */
export function readToken(x: Exchange, sources: readonly TokenSource[]): string {
  for (let i = 0; i < sources.length; i++) {
    const token = sources[i]!.read(x)
    if (token !== "") return token
  }
  return ""
}

/** Takes it out of all of them: what one source did not give may be believed by the peer. */
export function removeTokens(x: Exchange, sources: readonly TokenSource[]): void {
  for (let i = 0; i < sources.length; i++) sources[i]!.remove(x)
}

/** `Authorization: Scheme secret` (RFC 9110 section 11.6.2); other schemes are others' business. */
class SchemeSource implements TokenSource {
  private readonly start: string

  constructor(scheme: string) {
    this.start = `${scheme.toLowerCase()} `
  }

  read({ request }: Exchange): string {
    if (!request.has(NAME.authorization)) return ""
    if (request.repeated(NAME.authorization)) return DOUBLED
    const at = request.indexOf(NAME.authorization)
    return this.isOurs(request, at) ? request.raw.substring(request.valueStart(at) + this.start.length, request.valueEnd(at)).trimStart() : ""
  }

  remove({ request }: Exchange): void {
    if (request.has(NAME.authorization) && this.isOurs(request, request.indexOf(NAME.authorization))) request.remove(NAME.authorization)
  }

  private isOurs(request: Fields, at: number): boolean {
    const { start } = this
    const from = request.valueStart(at)
    if (request.valueEnd(at) - from <= start.length) return false
    for (let i = 0; i < start.length; i++) {
      let code = request.raw.charCodeAt(from + i)
      if (code >= 65 && code <= 90) code += 32
      if (code !== start.charCodeAt(i)) return false
    }
    return true
  }
}

class FieldSource implements TokenSource {
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  read({ request }: Exchange): string {
    const at = request.indexOfName(this.name)
    if (at < 0) return ""
    return request.indexOfName(this.name, at + 1) < 0 ? request.valueAt(at) : DOUBLED
  }

  remove({ request }: Exchange): void {
    dropField(request, this.name)
  }
}

class CookieSource implements TokenSource {
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  read(x: Exchange): string {
    const cookies = cookiesOf(x)
    let found = ""
    for (let at = cookies.indexOf(this.name); at >= 0; at = cookies.indexOf(this.name, at + 1)) {
      const end = at + this.name.length
      if (cookies.charCodeAt(end) !== 61 || !isStart(cookies, at)) continue
      if (found !== "") return DOUBLED
      const stop = cookies.indexOf(";", end)
      found = cookies.substring(end + 1, stop < 0 ? cookies.length : stop).trim()
    }
    return found
  }

  remove(x: Exchange): void {
    dropCookies(x, this.name, false)
  }
}

/** A cookie begins here. */
function isStart(cookies: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && cookies.charCodeAt(before) === 32) before--
  return before < 0 || cookies.charCodeAt(before) === 59
}

class ParameterSource implements TokenSource {
  private readonly name: string

  constructor(name: string) {
    this.name = name
  }

  read({ query }: Exchange): string {
    const count = query === "" ? 0 : parameterCount(query, this.name)
    if (count === 0) return ""
    if (count > 1) return DOUBLED
    const at = Math.max(query.indexOf(`?${this.name}=`), query.indexOf(`&${this.name}=`))
    if (at < 0) return ""
    const end = query.indexOf("&", at + 1)
    return query.substring(at + this.name.length + 2, end < 0 ? query.length : end)
  }

  remove(x: Exchange): void {
    if (x.query.includes(this.name)) dropParameter(x, this.name)
  }
}
