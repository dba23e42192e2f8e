import { execFile } from "node:child_process"

/** What OpenSSL's client says of a handshake. */
export interface Handshake {
  /** It stands. */
  readonly ok: boolean
  /** Common name of the certificate that the server showed, "" when it showed none. */
  readonly name: string
  /** `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  /** "" = none was agreed. */
  readonly alpn: string
  /** The server asked for a client certificate. */
  readonly asked: boolean
  readonly resumed: boolean
  readonly output: string
}

/** A handshake with 127.0.0.1:port by a client that is not the runtime's. `words` are more of its flags. */
export function handshake(port: number, ...words: string[]): Promise<Handshake> {
  return converse(port, "", words)
}

/** The same, and then sends `text` and reads until the server closes. */
export function opensslRequest(port: number, text: string, ...words: string[]): Promise<Handshake> {
  return converse(port, text, ["-ign_eof", ...words])
}

function converse(port: number, text: string, words: readonly string[]): Promise<Handshake> {
  return new Promise(resolve => {
    const child = execFile("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...words], { timeout: 10_000 }, (_error, stdout, stderr) =>
      resolve(parse(stdout + stderr)),
    )
    child.stdin!.on("error", () => {}).end(text)
  })
}

function parse(output: string): Handshake {
  const cipher = /^\S+, (TLSv[\d.]+), Cipher is (\S+)$/m.exec(output)
  return {
    ok: cipher !== null && cipher[2] !== "(NONE)" && !/alert|^errno|:error:/m.test(output),
    name: /^subject=CN = (.*)$/m.exec(output)?.[1] ?? "",
    version: cipher?.[1] ?? "",
    cipher: cipher?.[2] ?? "",
    alpn: /^ALPN protocol: (.*)$/m.exec(output)?.[1] ?? "",
    asked: /^(Acceptable client certificate CA names|Requested Signature Algorithms|Client Certificate Types)/m.test(output),
    resumed: /^Reused, /m.test(output),
    output,
  }
}
