import { z } from "zod"
import { FAULT } from "../../base/index.ts"
import { FAULT_VERDICT, NEXT } from "../../flow/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { verifiedCertificate } from "../client-certificate.ts"

const fingerprint = z
  .string()
  .regex(/^[0-9a-f]{2}(:?[0-9a-f]{2}){31}$/i, "expected a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
  .transform(plain)

export default defineFilter({
  name: "require-certificate",
  raw: true,
  summary: "Only clients with a certificate that the listener's authorities signed get on (RFC 9110 section 15.5.20).",
  options: z
    .strictObject({
      fingerprints: z.array(fingerprint).min(1).optional().describe("SHA-256 fingerprints of the certificates that are let in. Default: all."),
    })
    .prefault({}),
  build({ fingerprints }) {
    const allowed = fingerprints === undefined ? null : new Set(fingerprints)
    return {
      access(x) {
        const certificate = verifiedCertificate(x)
        if (certificate !== null && (allowed === null || allowed.has(plain(certificate.fingerprint256)))) return NEXT
        // Another connection may show another certificate, so that 421 tells a browser to open one; this name's content must not come over this one.
        x.fault = certificate === null ? FAULT.certificateRequired : FAULT.forbidden
        return FAULT_VERDICT
      },
      describe: () => (allowed === null ? "any verified certificate" : `${allowed.size} fingerprints`),
    }
  },
})

function plain(text: string): string {
  return text.replaceAll(":", "").toLowerCase()
}
