import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "./ports.ts"
import { isListening, type Program, startProgram, temporaryFolder, untilReady } from "./processes.ts"

/** Debian's c-icap with its echo service, which gives everything back, on a free port. */
export interface CIcap extends AsyncDisposable {
  readonly port: number
  readonly program: Program
}

export async function startCIcap(): Promise<CIcap> {
  const folder = temporaryFolder("c-icap")
  const port = await freePort()
  const modules = "/usr/lib/x86_64-linux-gnu/c_icap"
  const config = join(folder, "c-icap.conf")
  writeFileSync(
    config,
    [
      `PidFile ${folder}/pid`,
      `CommandsSocket ${folder}/ctl`,
      "StartServers 1",
      "MaxServers 2",
      "ThreadsPerChild 10",
      "MinSpareThreads 1",
      "MaxSpareThreads 5",
      `Port 127.0.0.1:${port}`,
      `TmpDir ${folder}`,
      `ServerLog ${folder}/server.log`,
      `AccessLog ${folder}/access.log`,
      `ModulesDir ${modules}`,
      `ServicesDir ${modules}`,
      "LoadMagicFile /etc/c-icap/c-icap.magic",
      "Service echo srv_echo.so",
      "",
    ].join("\n"),
  )
  const program = startProgram("c-icap", "c-icap", ["-N", "-f", config])
  await untilReady(program, () => isListening(port))
  return {
    port,
    program,
    // It takes seconds to stop by itself.
    [Symbol.asyncDispose]: async () => void (await program.stop("SIGTERM", 100)),
  }
}
