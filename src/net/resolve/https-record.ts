import { formatIp } from "../../base/index.ts"
import { interleave } from "./address-order.ts"
import { DnsReader } from "./dns-reader.ts"

/** What an HTTPS record says (RFC 9460 section 2.2). */
export interface HttpsRecord {
  /** 0 = AliasMode: only `target` counts. Else ServiceMode, the lowest first. */
  readonly priority: number
  /** Lower case, no final dot; "" = the root, which stands for the owner of the record in ServiceMode and for "no such service" in AliasMode. */
  readonly target: string
  /** False: the record asks for what we do not know or contradicts itself, and is not to be used (sections 2.4.3 and 8). */
  readonly usable: boolean
  /** Protocols, octets as Latin-1, with the default "http/1.1" unless the record denies it. */
  readonly alpn: readonly string[]
  /** 0 = not said. */
  readonly port: number
  /** Address literals in the order to dial. */
  readonly hints: readonly string[]
}

/** Keys of SvcParams (section 14.3.2). "ech" (5) is not among them, so a record that insists on it is not usable. */
const MANDATORY = 0
const ALPN = 1
const NO_DEFAULT_ALPN = 2
const PORT = 3
const IPV4_HINT = 4
const IPV6_HINT = 6
const known: ReadonlySet<number> = new Set([ALPN, NO_DEFAULT_ALPN, PORT, IPV4_HINT, IPV6_HINT])

/** What is kept of one record; the rest is passed over. */
const PROTOCOLS_MAX = 32
/** For each family. */
const HINTS_MAX = 64

interface Params {
  readonly keys: Set<number>
  readonly mandatory: number[]
  readonly alpn: string[]
  readonly hints: string[]
  port: number
}

/** Reads the data of one record; a text answer says how it is malformed. Parameters of an alias are not looked at (section 2.4.1). */
export function decodeHttpsRecord(data: Uint8Array): HttpsRecord | string {
  const reader = new DnsReader(data)
  const priority = reader.uint16()
  const target = reader.name(false)
  const params: Params = { keys: new Set(), mandatory: [], alpn: [], hints: [], port: 0 }
  if (priority !== 0) readParams(reader, params)
  if (reader.fault !== "") return reader.fault
  const { keys, alpn, port } = params
  if (!keys.has(NO_DEFAULT_ALPN)) alpn.push("http/1.1")
  return {
    priority,
    target,
    usable: isUsable(params),
    alpn: [...new Set(alpn)],
    port,
    hints: interleave([...new Set(params.hints)]).map(hint => hint.address),
  }
}

function isUsable({ keys, mandatory, port }: Params): boolean {
  if (!mandatory.every(key => known.has(key) && keys.has(key))) return false
  if (keys.has(NO_DEFAULT_ALPN) && !keys.has(ALPN)) return false
  return !keys.has(PORT) || port !== 0
}

function readParams(reader: DnsReader, params: Params): void {
  let before = -1
  while (reader.fault === "" && reader.at < reader.bytes.length) {
    const key = reader.uint16()
    const length = reader.uint16()
    const end = reader.at + length
    if (key <= before) reader.fail("the parameters are not in ascending order")
    before = key
    params.keys.add(key)
    if (reader.fault === "") readValue(reader, key, length, params)
    if (reader.fault === "" && reader.at !== end) reader.fail(`the value of parameter ${key} has a wrong length`)
  }
}

/** Reads as much as the value should be long; the caller sees whether that is how long it is. */
function readValue(reader: DnsReader, key: number, length: number, params: Params): void {
  if (key === MANDATORY) readMandatory(reader, length, params.mandatory)
  else if (key === ALPN) readAlpn(reader, length, params.alpn)
  else if (key === PORT) params.port = reader.uint16()
  else if (key === IPV4_HINT) readHints(reader, length, 4, params.hints)
  else if (key === IPV6_HINT) readHints(reader, length, 16, params.hints)
  else if (key !== NO_DEFAULT_ALPN) reader.skip(length)
}

/** A list of keys in ascending order, without its own (section 8). */
function readMandatory(reader: DnsReader, length: number, keys: number[]): void {
  const end = reader.at + length
  let before = MANDATORY
  do {
    const key = reader.uint16()
    if (key <= before) reader.fail("the mandatory keys are not in ascending order")
    before = key
    keys.push(key)
  } while (reader.fault === "" && reader.at < end)
}

/** Names of protocols, each with its length before it (section 7.1). */
function readAlpn(reader: DnsReader, length: number, alpn: string[]): void {
  const end = reader.at + length
  do {
    const octets = reader.uint8()
    const from = reader.at
    if (octets === 0) reader.fail("a protocol has no name")
    reader.skip(octets)
    if (reader.fault === "" && alpn.length < PROTOCOLS_MAX) alpn.push(String.fromCharCode(...reader.bytes.subarray(from, from + octets)))
  } while (reader.fault === "" && reader.at < end)
}

function readHints(reader: DnsReader, length: number, octets: 4 | 16, hints: string[]): void {
  const end = reader.at + length
  const hintsMax = hints.length + HINTS_MAX
  do {
    const from = reader.at
    reader.skip(octets)
    if (reader.fault === "" && hints.length < hintsMax) hints.push(formatIp(reader.bytes, from, octets))
  } while (reader.fault === "" && reader.at < end)
}
