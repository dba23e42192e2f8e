import { join } from "node:path"
import type { Certificate } from "../certificates.ts"
import { isListening, type Program, startProgram, untilReady } from "../processes.ts"

/** A server of node:http2 on `port`, run by Node, or by this runtime. What it answers: node-h2-server.mjs. */
export async function startNodeH2(
  port: number,
  { certificate, runtime = "node" }: { certificate?: Certificate; runtime?: string } = {},
): Promise<Program> {
  const files = certificate ? [certificate.certFile, certificate.keyFile] : []
  const program = startProgram("node:http2", runtime, [join(import.meta.dirname, "node-h2-server.mjs"), String(port), ...files])
  await untilReady(program, () => isListening(port))
  return program
}
