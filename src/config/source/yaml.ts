import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseAllDocuments,
  type ParsedNode,
  visit,
  type YAMLError,
} from "yaml"
import { type ConfigPath, type ConfigSource, fileProblem, lineIndex, type Place, type Problem } from "../problem.ts"

/** Aliases that may be expanded, altogether; more is an attack or a mistake. */
export const aliasesMax = 100
/** Levels of nesting. The model has nine. */
export const depthMax = 64

export type SourceResult =
  | { readonly source: ConfigSource; readonly problems: readonly Problem[] }
  | { readonly source: null; readonly problems: readonly Problem[] }

/** Reads YAML 1.2, and so JSON too. Duplicate keys, several documents, unknown tags and unresolved aliases are problems. */
export function readYaml(text: string, file: string): SourceResult {
  const positionOf = lineIndex(text)
  const problems: Problem[] = []
  const report = (offset: number, message: string) => problems.push(fileProblem(file, message, positionOf(offset)))
  let documents: Document.Parsed[]
  try {
    documents = [...parseAllDocuments(text, { prettyErrors: false, stringKeys: true, logLevel: "silent" })]
  } catch (error) {
    return { source: null, problems: [fileProblem(file, `cannot be read as YAML: ${(error as Error).message}`)] }
  }
  const [document, second] = documents
  if (document === undefined || document.contents === null) return { source: null, problems: [fileProblem(file, emptySentence)] }
  if (second) report(second.range[0], 'expected one document, got several; "---" starts a new one')
  for (const error of oneEachLine([...document.errors, ...document.warnings], positionOf)) {
    const opening = unclosedAt(error, text)
    if (opening >= 0) report(opening, `this ${text[opening]} is not closed`)
    else if (error.code === "DUPLICATE_KEY") report(error.pos[0], twiceSentence(document, error.pos[0], positionOf))
    else report(offsetOf(error, text), syntaxSentence(error))
  }
  const broken = problems.length > 0 && !document.errors.every(error => error.code === "DUPLICATE_KEY")
  if (broken || !soundTree(document, report)) return { source: null, problems }
  return {
    source: { file, text, value: document.toJS({ maxAliasCount: -1 }), place: (path, part) => placeIn(document, { file, positionOf }, path, part) },
    problems,
  }
}

/** A slip throws the parser off for the rest of its line, and an open quote for all that follows; what it says after the first is noise. */
function oneEachLine(errors: readonly YAMLError[], positionOf: (offset: number) => { line: number }): YAMLError[] {
  const quotes = errors.filter(isOpenQuote)
  if (quotes.length > 0) return quotes.slice(0, 1)
  const seen = new Set<number>()
  return errors.filter(error => {
    const { line } = positionOf(error.pos[0])
    const first = !seen.has(line)
    seen.add(line)
    return first
  })
}

/** Offset of the bracket or quote that is still open where the parser gave up, or -1 when the error is another one. */
function unclosedAt(error: YAMLError, text: string): number {
  if (/^Flow (?:map|sequence)/.test(error.message)) return openAt(text, error.pos[0]).bracket
  if (!isOpenQuote(error)) return -1
  const { quote } = openAt(text, text.length)
  return quote >= 0 ? quote : text.lastIndexOf(error.message.includes('"') ? '"' : "'", error.pos[0] - 1)
}

function isOpenQuote({ message }: YAMLError): boolean {
  return /closing .quote/.test(message)
}

function openAt(text: string, end: number): { bracket: number; quote: number } {
  const open: number[] = []
  for (let at = 0; at < end; at++) {
    const char = text[at]!
    const fresh = at === 0 || /[\s,:[{]/.test(text[at - 1]!)
    if (fresh && (char === '"' || char === "'")) {
      const start = at
      at = endOfQuoted(text, at, char)
      if (at >= text.length) return { bracket: open.at(-1) ?? -1, quote: start }
    } else if (fresh && char === "#") at = text.indexOf("\n", at) < 0 ? end : text.indexOf("\n", at)
    else if (char === "{" || char === "[") open.push(at)
    else if (char === "}" || char === "]") open.pop()
  }
  return { bracket: open.at(-1) ?? -1, quote: -1 }
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let at = start + 1
  while (at < text.length && text[at] !== quote) at += quote === '"' && text[at] === "\\" ? 2 : 1
  return at
}

const emptySentence = "the config is empty; it needs at least listeners and routes"

/** The parser often names the start of a line for what begins behind its blanks. */
function offsetOf({ code, pos: [offset] }: YAMLError, text: string): number {
  if (code !== "BAD_INDENT" && code !== "BLOCK_AS_IMPLICIT_KEY") return offset
  const blanks = / */y
  blanks.lastIndex = offset
  return offset + (blanks.exec(text)?.[0].length ?? 0)
}

function twiceSentence(document: Document.Parsed, offset: number, positionOf: (offset: number) => { line: number }): string {
  let said = ""
  visit(document, {
    Map(_key, map) {
      const keys = map.items.map(item => item.key as Node).filter(isScalar)
      const second = keys.find(key => key.range?.[0] === offset)
      const first = keys.find(key => String(key.value) === String(second?.value))
      if (second === undefined || first?.range === undefined || first.range === null) return
      said = `the key ${JSON.stringify(String(second.value))} is there twice, first in line ${positionOf(first.range[0]).line}`
      return visit.BREAK
    },
  })
  return said || "a key is there twice"
}

function syntaxSentence(error: YAMLError): string {
  switch (error.code) {
    case "TAB_AS_INDENT":
      return "YAML is not indented with tabs; use two spaces"
    case "TAG_RESOLVE_FAILED":
      return `tags are not supported: ${error.message}`
    case "MULTILINE_IMPLICIT_KEY":
      return "expected `key: value`; a blank must follow the colon, and a key stays on one line"
    case "MISSING_CHAR":
      return /Implicit map keys/.test(error.message) ? 'expected ":" and a value behind this key' : error.message
    case "RESOURCE_EXHAUSTION":
      return `nested more than ${depthMax} levels deep`
    case "BAD_INDENT":
      return `the indentation does not fit: ${indentSentence(error.message)}`
    case "BLOCK_AS_IMPLICIT_KEY":
      if (error.message.startsWith("A block sequence"))
        return 'an entry of a list where a key is expected; the entries of a list all begin with "- ", in the same column'
      return 'a second ": " on the line; put the value in quotes if the colon belongs to it'
    case "BAD_SCALAR_START":
      return `${error.message}; put the value in quotes`
    default:
      return error.message
  }
}

function indentSentence(message: string): string {
  if (message.startsWith("All mapping items")) return "the keys of a map start in the same column"
  return message.startsWith("All sequence items") ? "the entries of a list start in the same column" : message
}

/** Reports aliases that lead nowhere, to themselves or to too much, and nesting beyond any sense. toJS would throw or go round for ever. */
function soundTree(document: Document.Parsed, report: (offset: number, message: string) => void): boolean {
  let ok = true
  const say = (node: Node, message: string): symbol => {
    report(node.range?.[0] ?? 0, message)
    ok = false
    return visit.BREAK
  }
  let expanded = 0
  const weights = new Map<unknown, number>()
  visit(document, {
    Alias(_key, alias, ancestors) {
      const target = alias.resolve(document)
      if (target === undefined) return say(alias, `there is no anchor &${alias.source} before this alias`)
      if (ancestors.includes(target)) return say(alias, `the alias *${alias.source} contains itself`)
      expanded += aliasesIn(target, document, weights)
      if (expanded > aliasesMax) return say(alias, `more than ${aliasesMax} aliases; write the values out`)
    },
    Collection(_key, node, ancestors) {
      if (ancestors.filter(isCollection).length > depthMax) return say(node, `nested more than ${depthMax} levels deep`)
    },
  })
  return ok
}

/** How many aliases an alias of `target` stands for, those inside it included. Anchors come before their aliases, so this ends. */
function aliasesIn(target: Node, document: Document.Parsed, weights: Map<unknown, number>): number {
  const known = weights.get(target)
  if (known !== undefined) return known
  let weight = 1
  visit(target, {
    Alias(_key, alias: Alias) {
      const inner = alias.resolve(document)
      if (inner !== undefined && inner !== target) weight += aliasesIn(inner, document, weights)
      if (weight > aliasesMax) return visit.BREAK
    },
  })
  weights.set(target, weight)
  return weight
}

interface TextOf {
  readonly file: string
  readonly positionOf: (offset: number) => { line: number; column: number }
}

function placeIn(document: Document.Parsed, of: TextOf, path: ConfigPath, part: "key" | "value"): Place {
  let node: Node | null = document.contents
  let key: Node | null = null
  for (const [depth, step] of path.entries()) {
    const next = stepInto(resolved(node, document), step)
    // Nothing there: the key that leads to the place, or, in a list, the item itself.
    if (next === null) return placeOf(key ?? node, of)
    key = next.key
    node = next.value
    if (depth === path.length - 1 && key && (part === "key" || isEmpty(node))) return placeOf(key, of)
  }
  return placeOf(node, of)
}

function stepInto(node: Node | null, step: string | number): { key: Node | null; value: Node | null } | null {
  if (isMap(node)) {
    const pair = node.items.find(item => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step))
    return pair ? { key: pair.key as ParsedNode, value: pair.value as ParsedNode | null } : null
  }
  if (isSeq(node) && typeof step === "number" && step < node.items.length) return { key: null, value: node.items[step] as ParsedNode }
  return null
}

function resolved(node: Node | null, document: Document.Parsed): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node
}

/** `key:` with nothing behind it has no octet of its own. */
function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1])
}

function placeOf(node: Node | null, { file, positionOf }: TextOf): Place {
  return { file, ...positionOf(node?.range?.[0] ?? 0) }
}
