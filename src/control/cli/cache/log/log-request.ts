/** What one line of an access log says of a request. */
export interface LogRequest {
  readonly method: string
  /** http or https; "" = the line does not say. */
  readonly scheme: string
  /** Host, with the port if it is not the scheme's own; "" = the line does not say. */
  readonly authority: string
  /** Path and query, one character an octet. */
  readonly target: string
  readonly status: number
  /** Octets of the body that went to the client. */
  readonly bytes: number
  /** The exchange ended well, so that `bytes` is all of the body. */
  readonly whole: boolean
  /** What the cache did: hit, stale, revalidated, miss, pass, bypass, coalesced; "" = there was none, or the line does not say. */
  readonly cache: string
  /** Why it did: a word of `CACHE_REASONS`; "" = the line does not say. */
  readonly cacheReason: string
  /** "" = the line does not say. */
  readonly route: string
  /** Milliseconds since 1970, NaN = the line does not say. */
  readonly timeMs: number
}

/** Reads a line of the format json or combined (or common). null = it is neither. A line without a request, as after a client's nonsense, has the method "". */
export function readLogLine(line: string): LogRequest | null {
  return line.startsWith("{") ? readJson(line) : readCombined(line)
}

function readJson(line: string): LogRequest | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  const fields = value as Record<string, unknown>
  const { status, responseBytes } = fields
  if (typeof status !== "number" || typeof responseBytes !== "number" || !(responseBytes >= 0)) return null
  return {
    method: text(fields["method"]),
    scheme: text(fields["scheme"]),
    authority: text(fields["host"]) === "" ? "" : `${bracketed(text(fields["host"]))}${portOf(fields["port"])}`,
    target: text(fields["target"]),
    status,
    bytes: responseBytes,
    whole: fields["fault"] === undefined,
    cache: text(fields["cache"]),
    cacheReason: text(fields["cacheReason"]),
    route: text(fields["route"]),
    timeMs: Date.parse(text(fields["time"])),
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
}

function portOf(value: unknown): string {
  return typeof value === "number" ? `:${value}` : ""
}

// what stands behind the request line
const outcome = / (\d{3}) (\d{1,16}|-)(?: "|$)/y

/** `client - user [time] "request" status octets …`. No format writes a quote inside a value without a backslash, so that `] "` is where the request begins. */
function readCombined(line: string): LogRequest | null {
  const at = line.indexOf('] "')
  const bracket = at < 0 ? -1 : line.lastIndexOf(" [", at)
  if (bracket < 0) return null
  const end = endOfQuoted(line, at + 3)
  outcome.lastIndex = end + 1
  const found = end < 0 ? null : outcome.exec(line)
  if (found === null) return null
  const request = unescaped(line.slice(at + 3, end))
  const first = request.indexOf(" ")
  const last = request.lastIndexOf(" ")
  const isRequest = first > 0 && last > first && request.startsWith(" HTTP/", last)
  return {
    ...placeOf(isRequest ? request.slice(first + 1, last) : ""),
    method: isRequest ? request.slice(0, first) : "",
    status: Number(found[1]),
    bytes: found[2] === "-" ? 0 : Number(found[2]),
    whole: true,
    cache: "",
    cacheReason: "",
    route: "",
    timeMs: commonLogTime(line.slice(bracket + 2, at)),
  }
}

function endOfQuoted(line: string, from: number): number {
  let end = line.indexOf('"', from)
  while (end > 0 && line[end - 1] === "\\" && line[end - 2] !== "\\") end = line.indexOf('"', end + 1)
  return end
}

/** nginx and Bothways write \xHH, Apache \" and \\ as well. */
function unescaped(value: string): string {
  if (!value.includes("\\")) return value
  return value.replace(/\\(?:x([0-9A-Fa-f]{2})|(["\\]))/g, (_, hex: string | undefined, plain: string) =>
    hex === undefined ? plain : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** The target as it came: a forward request names its host, others do not. */
function placeOf(target: string): { scheme: string; authority: string; target: string } {
  const absolute = /^(https?):\/\/([^/?#]+)/i.exec(target)
  if (absolute === null) return { scheme: "", authority: "", target }
  const path = target.slice(absolute[0].length)
  return { scheme: absolute[1]!.toLowerCase(), authority: absolute[2]!.toLowerCase(), target: path.startsWith("/") ? path : `/${path}` }
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** `26/Nov/2026:01:07:46 +0100`, NaN for anything else. */
function commonLogTime(value: string): number {
  const found = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)$/.exec(value)
  if (found === null) return Number.NaN
  const [, day, month, year, clock, hours, minutes] = found
  return Date.parse(`${year}-${String(months.indexOf(month!) + 1).padStart(2, "0")}-${day}T${clock}${hours}:${minutes}`)
}
