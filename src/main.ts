import { main } from "./control/index.ts"

// Whoever reads the output may have heard enough, as `head` has; a running proxy serves on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return
    process.exitCode = 1
    if (stream === process.stdout) process.stderr.write(`bothways: what was to be said cannot be written: ${error.message}\n`)
  })
}

const code = await main(process.argv.slice(2), { out: process.stdout, err: process.stderr, env: process.env })
process.exitCode ||= code
// What was written may still be on its way into a pipe; whatever else is left over must not keep the process.
setTimeout(() => process.exit(), 1000).unref()
