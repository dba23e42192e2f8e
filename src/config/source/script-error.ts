import { fileProblem, lineIndex, type Place, type Problem } from "../problem.ts"

/** What the runtime leaves on its errors beside the message, as far as it does. */
interface ScriptError {
  readonly message?: unknown
  readonly stack?: unknown
  /** Of syntax errors. */
  readonly position?: { readonly file?: unknown; readonly line?: unknown; readonly column?: unknown } | null
  /** Of imports that are not found. */
  readonly specifier?: unknown
}

/** One sentence about a config script that cannot be run, at the place that the runtime names: in the script, or in what it imports. `text` is the script's own. */
export function scriptProblem(thrown: unknown, file: string, text: string): Problem {
  const error: ScriptError = typeof thrown === "object" && thrown !== null ? thrown : { message: String(thrown) }
  const place = syntaxPlace(error, file) ?? importPlace(error, file, text) ?? throwPlace(error)
  const message = String(error.message ?? thrown)
    .split("\n")[0]!
    .replaceAll(/\?load=\d+/g, "")
  return fileProblem(place?.file ?? file, `cannot be run: ${message}`, place ?? undefined)
}

function syntaxPlace({ position }: ScriptError, file: string): Place | null {
  if (typeof position?.line !== "number" || typeof position.column !== "number") return null
  const at = typeof position.file === "string" && position.file.startsWith("/") ? bare(position.file) : file
  return { file: at, line: Math.max(1, position.line), column: Math.max(1, position.column) }
}

function importPlace({ specifier }: ScriptError, file: string, text: string): Place | null {
  const at = typeof specifier === "string" && specifier !== "" ? text.indexOf(specifier) : -1
  return at < 0 ? null : { file, ...lineIndex(text)(at) }
}

/** The innermost frame that lies in a file. */
function throwPlace({ stack }: ScriptError): Place | null {
  if (typeof stack !== "string") return null
  const frame = /^\s+at (?:.*\()?(\/[^()\n]*?):(\d+):(\d+)\)?$/m.exec(stack)
  return frame === null ? null : { file: bare(frame[1]!), line: Number(frame[2]), column: Number(frame[3]) }
}

function bare(file: string): string {
  return file.replace(/\?load=\d+$/, "")
}
