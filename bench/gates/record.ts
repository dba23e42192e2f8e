import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { openSetting } from "../setting.ts"
import { allocatedBytes, allocationGates, cpuGates, cpuOfNginx } from "./measure-gates.ts"

// Measures this machine and writes baseline.json, which the gates compare with.
const setting = await openSetting()
const cpu: Record<string, number> = {}
const bytes: Record<string, number> = {}
for (const name of cpuGates) cpu[name] = Number((await cpuOfNginx(name, setting)).toFixed(2))
for (const name of allocationGates) bytes[name] = Math.round(await allocatedBytes(name, setting))
await setting.origin.stop()
const text = `${JSON.stringify({ cpuOfNginx: cpu, allocatedBytes: bytes }, null, 2)}\n`
writeFileSync(join(import.meta.dirname, "baseline.json"), text)
console.log(text)
process.exit(0)
