import { functionBodies } from "./functions.ts"
import { rooms } from "./rooms.ts"
import type { Finding, Source } from "./source.ts"

const fileLinesMax = 400
const functionLinesMax = 60
const exchangeFieldsMax = 60

/** Sizes of files and functions. Tests group cases in one big callback, so only their file counts. */
export function checkSizes(source: Source): Finding[] {
  const found: Finding[] = []
  if (source.lineCount > fileLinesMax) {
    found.push({ path: source.path, line: 1, rule: "file-lines", message: `${source.lineCount} lines; ${fileLinesMax} is the most: split the file` })
  }
  if (isTest(source.path)) return found
  for (const body of functionBodies(source)) {
    const line = source.lineAt(body.start)
    const lines = source.lineAt(body.end) - line + 1
    if (lines > functionLinesMax) {
      found.push({ path: source.path, line, rule: "function-lines", message: `a function of ${lines} lines; ${functionLinesMax} is the most` })
    }
  }
  return found
}

function isTest(path: string): boolean {
  return /\.(?:test|wire)\.ts$/.test(path)
}

const bannedWords = new Set(["util", "utils", "helper", "helpers", "common", "misc", "manager", "types", "interfaces"])
const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/

/** Names of a file and of the folders around it. */
export function checkName(path: string): Finding[] {
  const report = (message: string): Finding => ({ path, line: 1, rule: "name", message })
  for (const part of path.split("/")) {
    const name = part.replace(/(?:\.(?:test|wire|gen|fixture|config|d))?\.(?:ts|mjs)$/, "")
    if (!kebab.test(name)) return [report(`"${part}" is not kebab-case`)]
    const banned = name.split("-").find(word => bannedWords.has(word))
    if (banned !== undefined) return [report(`"${banned}" says nothing about what is inside`)]
  }
  return []
}

const bunSocket = /\bBun\s*\.\s*(?:listen|connect|serve|udpSocket)\b/g

/** A second runtime stays possible: only one room knows this one's sockets. */
export function checkBunSockets(source: Source): Finding[] {
  if (!source.path.startsWith("src/") || source.path.startsWith("src/net/")) return []
  const message = "only src/net uses Bun's own sockets and ffi"
  const found: Finding[] = []
  for (const match of source.code.matchAll(bunSocket))
    found.push({ path: source.path, line: source.lineAt(match.index), rule: "bun-socket", message })
  for (const entry of source.imports) {
    if (entry.specifier === "bun:ffi") found.push({ path: source.path, line: entry.line, rule: "bun-socket", message })
  }
  return found
}

const madePattern = /\bRegExp\s*\(\s*/g

/** Bun's RegExp gives up under heavy backtracking and answers "no match": it only gets patterns that we wrote ourselves. */
export function checkPatterns(source: Source): Finding[] {
  const found: Finding[] = []
  for (const match of source.code.matchAll(madePattern)) {
    const argument = source.code.slice(match.index + match[0].length)
    if (/^(["'`/]) *\1[dgimsuvy]*\s*[,)]/.test(argument)) continue
    found.push({
      path: source.path,
      line: source.lineAt(match.index),
      rule: "regexp",
      message: "RegExp only takes a literal; patterns from outside go to re2js",
    })
  }
  return found
}

/** The Exchange stays small, and says of every field which room writes it. */
export function checkExchange(source: Source): Finding[] {
  if (source.path !== "src/flow/exchange.ts") return []
  const start = source.code.indexOf("class Exchange")
  if (start < 0) return [{ path: source.path, line: 1, rule: "exchange-fields", message: "class Exchange is not here" }]
  const found: Finding[] = []
  const lines = fieldLines(source, start)
  if (lines.length > exchangeFieldsMax) {
    found.push({
      path: source.path,
      line: lines[exchangeFieldsMax]!,
      rule: "exchange-fields",
      message: `${lines.length} fields; ${exchangeFieldsMax} is the most`,
    })
  }
  for (const line of lines) {
    if (ownsField(source.comments.get(line) ?? "")) continue
    found.push({ path: source.path, line, rule: "exchange-fields", message: "the comment at the end of a field names the room that writes it" })
  }
  return found
}

function fieldLines(source: Source, start: number): number[] {
  const lines: number[] = []
  let depth = 0
  for (let at = source.code.indexOf("{", start); at < source.code.length; at++) {
    const c = source.code[at]
    if (c === "{") depth++
    else if (c === "}" && --depth === 0) break
    else if (c === "\n" && depth === 1 && /^\n {2}(?:readonly )?[a-zA-Z]\w*[!?]?\s*[:=]/.test(source.code.slice(at, at + 80)))
      lines.push(source.lineAt(at) + 1)
  }
  return lines
}

function ownsField(comment: string): boolean {
  return Object.keys(rooms).some(room => comment.startsWith(room)) || comment.startsWith("whoever")
}
