import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { mainFor } from "./bothways.ts"
import { Authority } from "./certificates.ts"
import { freePort } from "./ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

/** A running `bothways tunnel` or `bothways exit`. */
export interface TunnelEnd {
  readonly program: Program
  readonly port: number
  /** `http://127.0.0.1:port` of its admin API. */
  readonly admin: string
}

/** What both ends of a tunnel need: certificates and a token, as files. */
export class TunnelWorld {
  readonly authority = new Authority()
  readonly pair = this.authority.issue(["exit.test", "127.0.0.1"])
  readonly folder = temporaryFolder("tunnel")
  readonly tokens = this.file("tokens", "ann:s3cret-token-of-ann\n")
  readonly token = this.file("token", "s3cret-token-of-ann\n")
  readonly programs: Program[] = []

  file(name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  /** Starts an exit; the port may be one that an exit had before. */
  async exit(more: readonly string[] = [], port?: number): Promise<TunnelEnd> {
    const at = port ?? (await freePort())
    const admin = await freePort()
    const { certFile, keyFile } = this.pair
    const words = ["exit", "--listen", `127.0.0.1:${at}`, "--cert", certFile, "--key", keyFile, "--allow-private", "--workers", "1"]
    return this.start(
      [...words, "--admin", `127.0.0.1:${admin}`, ...(more.includes("--client-ca") ? [] : ["--token-file", this.tokens]), ...more],
      at,
      admin,
    )
  }

  /** Starts a tunnel to an exit on this port of 127.0.0.1. */
  async tunnel(exitPort: number, more: readonly string[] = this.known()): Promise<TunnelEnd> {
    const at = await freePort()
    const admin = await freePort()
    const words = ["tunnel", "--via", `https://127.0.0.1:${exitPort}`, "--server-name", "exit.test", "--listen", `127.0.0.1:${at}`]
    return this.start([...words, "--status-bind", `127.0.0.1:${admin}`, "--log", "json", ...more], at, admin)
  }

  /** Flags of a client that the exit takes, and that takes the exit. */
  known(...more: string[]): string[] {
    return ["--ca", this.authority.ca.certFile, "--token-file", this.token, ...more]
  }

  private async start(words: readonly string[], port: number, admin: number): Promise<TunnelEnd> {
    const program = startProgram(`bothways ${words[0]}`, process.execPath, [mainFor([]), ...words])
    this.programs.push(program)
    await untilReady(program, () => isListening(port), 30_000)
    return { program, port, admin: `http://127.0.0.1:${admin}` }
  }

  async stop(): Promise<void> {
    await Promise.all(this.programs.map(program => program.stop()))
  }
}
