import { FileError, readDataFile } from "../../../base/index.ts"
import { UsageError } from "../usage-error.ts"

const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** The bearer token of a file: its first line, which may be `name:token` as the exit has it. Throws UsageError, which never says what is in the file. */
export function readToken(path: string): string {
  const line = firstLine(path)
  if (/^[^:]*:?\{SHA256\}/i.test(line))
    throw new UsageError(`--token-file: ${path} has the token's hash, which is the exit's half; here the token itself is needed`)
  const token = line.slice(line.indexOf(":") + 1).trim()
  if (TOKEN.test(token)) return token
  throw new UsageError(`--token-file: ${path}: expected a token of letters, digits and - . _ ~ + / in the first line`)
}

function firstLine(path: string): string {
  try {
    const lines = readDataFile(path).split(/\r?\n/)
    return lines.find(line => line.trim() !== "" && !line.startsWith("#")) ?? ""
  } catch (error) {
    if (error instanceof FileError) throw new UsageError(`--token-file: ${error.message}`)
    throw error
  }
}
