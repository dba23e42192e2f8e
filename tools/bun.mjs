import { spawnSync } from "node:child_process"
import { closeSync, openSync, readdirSync, readSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { join } from "node:path"

const modules = fileURLToPath(new URL("../node_modules", import.meta.url))

/** Path of the Bun that npm installed here, with install scripts on or off. The launcher in bin/ does the same without Node. */
export function findBun() {
  const candidates = [join(modules, "bun/bin/bun.exe")]
  for (const name of listed(join(modules, "@oven"))) candidates.push(join(modules, "@oven", name, "bin/bun"))
  const found = candidates.find(isBinary)
  if (found === undefined) throw new Error("Bun is not installed; run `npm ci`")
  return found
}

function listed(folder) {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

// Until bun's postinstall has run, bun.exe is a script that says so.
function isBinary(path) {
  try {
    const file = openSync(path)
    const start = Buffer.alloc(4)
    readSync(file, start)
    closeSync(file)
    return start.toString("latin1") !== "echo"
  } catch {
    return false
  }
}

// As a command: runs Bun with the arguments that follow.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status } = spawnSync(findBun(), process.argv.slice(2), { stdio: "inherit" })
  process.exit(status ?? 1)
}
