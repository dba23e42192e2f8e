// HOT
const DIGITS_MAX = 8
const LARGEST = 99_999_999

/** Milliseconds of a `grpc-timeout` (gRPC over HTTP/2, "Timeout": at most eight digits and a unit), -1 when it is none. Parts of a millisecond count as one. */
export function parseGrpcTimeout(text: string): number {
  const last = text.length - 1
  if (last < 1 || last > DIGITS_MAX) return -1
  let value = 0
  for (let i = 0; i < last; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  switch (text[last]) {
    case "H":
      return value * 3_600_000
    case "M":
      return value * 60_000
    case "S":
      return value * 1000
    case "m":
      return value
    case "u":
      return Math.ceil(value / 1000)
    case "n":
      return Math.ceil(value / 1_000_000)
    default:
      return -1
  }
}

/** The same the other way, in the finest unit that holds it from milliseconds on; rounded up. */
export function formatGrpcTimeout(ms: number): string {
  return ms <= LARGEST ? `${Math.ceil(ms)}m` : `${Math.ceil(ms / 1000)}S`
}
