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
    else report(error.pos[0], syntaxSentence(error, text))
  }
  const broken = problems.length > 0 && !document.errors.every(error => error.code === "DUPLICATE_KEY")
  if (broken || !soundTree(document, report)) return { source: null, problems }
  return {
    source: { file, text, value: document.toJS({ maxAliasCount: -1 }), place: (path, part) => placeIn(document, { file, positionOf }, path, part) },
    problems,
  }
}

/** A slip throws the parser off for the rest of its line; what it says after the first is noise. */
function oneEachLine(errors: readonly YAMLError[], positionOf: (offset: number) => { line: number }): YAMLError[] {
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
  return /closing .quote/.test(error.message) ? openAt(text, text.length).quote : -1
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

function syntaxSentence(error: YAMLError, text: string): string {
  switch (error.code) {
    case "TAB_AS_INDENT":
      return "YAML is not indented with tabs; use two spaces"
    case "DUPLICATE_KEY":
      return `the key ${JSON.stringify(wordAt(text, error.pos[0]))} is there twice`
    case "TAG_RESOLVE_FAILED":
      return `tags are not supported: ${error.message}`
    case "MULTILINE_IMPLICIT_KEY":
      return "expected `key: value`; a blank must follow the colon, and a key stays on one line"
    case "MISSING_CHAR":
      return /Implicit map keys/.test(error.message) ? 'expected ":" and a value behind this key' : error.message
    case "RESOURCE_EXHAUSTION":
      return `nested more than ${depthMax} levels deep`
    case "BAD_INDENT":
      return `the indentation does not fit: ${error.message}`
    case "BLOCK_AS_IMPLICIT_KEY":
      return 'a second ": " on the line; put the value in quotes if the colon belongs to it'
    case "BAD_SCALAR_START":
      return `${error.message}; put the value in quotes`
    default:
      return error.message
  }
}

function wordAt(text: string, offset: number): string {
  const word = /^(?:"([^"\n]*)"|'([^'\n]*)'|([^:\n]*))/.exec(text.slice(offset, offset + 80))
  return (word?.[1] ?? word?.[2] ?? word?.[3] ?? "").trim()
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
