const secretKeys = /token|password|secret|credential|api-?key|hmac/i
const secretFields = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"])
/** user:password@ in front of an authority. */
const userInfo = /^([a-z][a-z0-9+.-]{0,20}:\/\/)[^/?#@]{1,500}@/i

export const REDACTED = "(redacted)"

/** A copy of the config model that can be shown: secrets by key name, header values that are credentials, user information in URLs, functions by name. */
export function redact(value: unknown, key = ""): unknown {
  if (typeof value === "function") return `(function ${value.name || "without a name"})`
  if (isSecret(key) && value !== undefined && value !== null && typeof value !== "boolean") return REDACTED
  if (typeof value === "string") return value.replace(userInfo, `$1${REDACTED}@`)
  if (Array.isArray(value)) return value.map(item => redact(item))
  if (typeof value !== "object" || value === null) return value
  const plain = Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null
  if (!plain) return String(value)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, redact(item, name)]))
}

function isSecret(key: string): boolean {
  return secretKeys.test(key) || secretFields.has(key.toLowerCase())
}
