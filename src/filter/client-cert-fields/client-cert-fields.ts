import { z } from "zod"
import { type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import type { ClientCertificate } from "../../net/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { ClaimedNames } from "../claimed-names.ts"
import { verifiedCertificate } from "../client-certificate.ts"

const claimed = new ClaimedNames(["Client-Cert", "Client-Cert-Chain"])

/** What each connection's certificate is written as: most requests of it come later. */
const lines = new WeakMap<ClientCertificate, string>()

/** A byte sequence of structured fields (RFC 8941 section 3.3.5) is base64 between colons. */
function lineOf(certificate: ClientCertificate): string {
  let line = lines.get(certificate)
  if (line === undefined) {
    const { der } = certificate
    line = der === undefined ? "" : `Client-Cert: :${Buffer.from(der).toString("base64")}:\r\n`
    lines.set(certificate, line)
  }
  return line
}

function passOn(x: Exchange): Verdict {
  // Whoever could send these fields by himself would be whom he likes (RFC 9440 section 4).
  claimed.dropFrom(x)
  const certificate = verifiedCertificate(x)
  if (certificate !== null) x.request.extra += lineOf(certificate)
  return NEXT
}

export default defineFilter({
  name: "client-cert-fields",
  summary: "Tells the peer the client's verified certificate in Client-Cert (RFC 9440).",
  options: z.strictObject({}).prefault({}),
  build: () => ({ access: passOn, describe: () => "Client-Cert" }),
})
