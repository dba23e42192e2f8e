import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { check } from "./tidy/check.ts"

// The import law and the style ratchets of ARCHITECTURE.md. Prints one line a finding and fails when there is one.
const root = join(import.meta.dirname, "..")
const skipped = new Set(["node_modules", ".git", "coverage", "data", "dist"])

const files = new Map<string, string>()
collect("")
const findings = check(files, registryHosts())
for (const { path, line, rule, message } of findings) console.error(`${path}:${line}: ${rule}: ${message}`)
console.log(`tidy: ${files.size} files, ${findings.length} findings`)
process.exitCode = findings.length === 0 ? 0 : 1

function collect(folder: string): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && !skipped.has(entry.name)) collect(path)
    else if (entry.isFile() && !entry.name.endsWith(".log")) files.set(path, readFileSync(join(root, path), "utf8"))
  }
}

/** Hosts of the registries that npm runs this with: none of them belongs in a tracked file. */
function registryHosts(): string[] {
  const address = process.env.npm_config_registry
  if (address === undefined || !URL.canParse(address)) return []
  const { host } = new URL(address)
  return host === "" ? [] : [host]
}
