import { main } from "./control/index.ts"

const code = await main(process.argv.slice(2), { out: process.stdout, err: process.stderr, env: process.env })
process.exitCode = code
// What was written may still be on its way into a pipe; whatever else is left over must not keep the process.
setTimeout(() => process.exit(code), 1000).unref()
