import { isIP } from "node:net"
import { z } from "zod"
import { type Address, AddressError, CidrSet, hostNameFault, ipFamily, normaliseIp, parseAddress, PortSet } from "../../base/index.ts"
import { type IssueFacts, shown } from "../issue-sentence.ts"

/** A host and a port that we talk to, or a Unix socket. */
export interface EndpointConfig {
  /** As written: `host:port`, `[::1]:80` or `unix:/path`. */
  readonly address: string
  /** Name in lower case or address literal without brackets; "" for a Unix socket. */
  readonly host: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** Path of the Unix socket, else "". */
  readonly path: string
}

/** A name or an address literal without brackets. */
export function isHost(host: string): boolean {
  return ipFamily(host) !== 0 || hostNameFault(host) === null
}

function readBind(text: string): Address {
  return parseAddress(text, { use: "listen" })
}

function readEndpoint(text: string): EndpointConfig {
  if (/^[a-z]+:\/\//i.test(text)) throw new AddressError("a peer has no scheme (https is `tls: true` on the cluster)")
  const address = parseAddress(text)
  return "path" in address ? { address: text, host: "", port: 0, path: address.path } : { address: text, ...address, path: "" }
}

function readCidr(text: string): string {
  CidrSet.parse([text])
  return text
}

function readPorts(text: string): string {
  PortSet.parse([text])
  return text
}

/** What was meant by the commonest slips. */
function bindInstead(text: string): string | undefined {
  return /^\d{1,5}$/.test(text) ? `:${text}` : bracketed(text)
}

function endpointInstead(text: string): string | undefined {
  const url = /^(https?):\/\/([^/?#]+)/i.exec(text)
  if (url) return /:\d+$/.test(url[2]!) ? url[2]! : `${url[2]}:${url[1]!.toLowerCase() === "https" ? 443 : 80}`
  return /^:?\d{1,5}$/.test(text) ? `127.0.0.1:${text.replace(":", "")}` : bracketed(text)
}

function bracketed(text: string): string | undefined {
  const bare = /^(.*):(\d{1,5})$/.exec(text)
  return bare && isIP(bare[1]!) === 6 ? `[${bare[1]}]:${bare[2]}` : undefined
}

type Slips = (text: string) => string | undefined

/** Schema of a text that `read` takes apart or refuses with an AddressError; numbers are read as if they had been quoted. */
function reading<T>(title: string, wanted: string, read: (text: string) => T, slips: Slips = () => undefined) {
  const wrongType = (issue: z.core.$ZodRawIssue): string => {
    ;(issue as IssueFacts).wanted = wanted
    return `expected ${wanted}, got ${shown(issue.input)}`
  }
  return z
    .union([z.string(), z.number()], { error: wrongType })
    .transform((input, context): T => {
      const text = String(input).trim()
      try {
        return read(text)
      } catch (error) {
        if (!(error instanceof AddressError)) throw error
        context.issues.push({ code: "custom", input, message: error.message, wanted, instead: slips(text) } as z.core.$ZodRawIssue)
        return z.NEVER
      }
    })
    .meta({ title })
}

export const bindSchema = reading("address", 'an address such as "127.0.0.1:8080"', readBind, bindInstead)
export const endpointSchema = reading("address", 'an address such as "127.0.0.1:9000"', readEndpoint, endpointInstead)
/** A name server: an address, or the URL of one that speaks DNS over TLS or HTTPS. */
export const nameServerSchema = reading(
  "address or URL",
  'an address such as "127.0.0.1:53" or a URL such as "tls://9.9.9.9"',
  (text): EndpointConfig | string => (/^(?:tls|https):\/\//i.test(text) ? text : readEndpoint(text)),
  endpointInstead,
)
export const cidrSchema = reading("address range", "an address range such as 10.0.0.0/8", readCidr)
export const portsSchema = reading("port or range", "a port or a range such as 1025-65535", readPorts)

/** True for addresses that only this machine can reach. */
export function isLoopback(bind: Address): boolean {
  if ("path" in bind) return true
  const host = normaliseIp(bind.host) ?? bind.host
  return host.startsWith("127.") || host === "::1"
}
