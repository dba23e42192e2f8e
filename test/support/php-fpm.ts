import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Program, isListening, startProgram, temporaryFolder, untilReady } from "./processes.ts"
import { freePort } from "./ports.ts"

/** Debian's PHP-FPM with two processes. */
export interface PhpFpm {
  readonly program: Program
  readonly port: number
  readonly socket: string
}

/** Starts it on a free port, or with `unix` on a socket of its own. */
export async function startPhpFpm({ unix = false } = {}): Promise<PhpFpm> {
  const folder = temporaryFolder("php-fpm")
  const scratch = join(folder, "scratch")
  mkdirSync(scratch)
  chmodSync(folder, 0o755)
  // Its processes are another user's.
  chmodSync(scratch, 0o777)
  const port = await freePort()
  const socket = join(folder, "fpm.sock")
  const config = join(folder, "fpm.conf")
  const listen = unix ? `${socket}\nlisten.mode = 0666` : `127.0.0.1:${port}`
  const user = process.getuid?.() === 0 ? "user = nobody\ngroup = nogroup\n" : ""
  writeFileSync(
    config,
    `[global]\nerror_log = ${join(folder, "log")}\ndaemonize = no\n[www]\n${user}listen = ${listen}\npm = static\npm.max_children = 2\ncatch_workers_output = no\nclear_env = no\nenv[TMPDIR] = ${scratch}\nphp_admin_value[sys_temp_dir] = ${scratch}\nphp_admin_value[upload_tmp_dir] = ${scratch}\n`,
  )
  const program = startProgram("php-fpm", "php-fpm8.2", ["-F", "-O", "-n", "-y", config])
  await untilReady(program, async () => (unix ? existsSync(socket) : isListening(port)))
  return { program, port, socket }
}
