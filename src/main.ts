import { main } from "./control/index.ts"

process.exitCode = await main(process.argv.slice(2), { out: process.stdout, err: process.stderr, env: process.env })
