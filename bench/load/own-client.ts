import { join } from "node:path"
import { loadOutput } from "./wrk.ts"

/** Runs one of the load clients beside this file and gives the number it reports. */
export async function ownClient(name: "forward-client" | "handshake-client", args: readonly (string | number)[]): Promise<number> {
  const output = await loadOutput(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...args.map(String)])
  const answered = Number(/answered (\d+)/.exec(output)?.[1] ?? 0)
  if (answered === 0) throw new Error(`${name}: ${output}`)
  return answered
}
