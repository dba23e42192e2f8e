import type { Command } from "commander"
import { writeFileSync } from "node:fs"
import { checkReadable, LogFileError, readLines } from "../cache/log/read-lines.ts"
import { EXIT } from "../exit-codes.ts"
import { knownWord } from "../known-word.ts"
import type { CommandContext } from "../program.ts"
import { several } from "../serve-options.ts"
import { styleOf, withProgress } from "../terminal.ts"
import { UsageError } from "../usage-error.ts"
import { type LogRecord, readLogRecord } from "./log-record.ts"
import { reportPage } from "./report-page.ts"
import { reportText } from "./report-text.ts"
import { type Dimension, dimensions, Tally } from "./tally.ts"

const dimensionWords = Object.keys(dimensions) as Dimension[]
const usual = "user,site,category,hour"

const examples = `
Examples:
  bothways report --from access.log                                  by ${usual.replaceAll(",", ", ")}
  bothways report --from access.log --from access.log.1.gz --html report.html
  bothways report --from access.log --by rule,user --only action=block --since 24h
  bothways report --from - --by exit,day --json < access.log

The access log must have the format json. --by: ${Object.keys(dimensions).join(", ")}.
`

interface ReportOptions {
  readonly from?: readonly string[]
  readonly by: string
  readonly top: string
  readonly since?: string
  readonly until?: string
  readonly only?: readonly string[]
  readonly html?: string
  readonly json?: boolean
}

/** `bothways report`: who asked for what, from the access log. */
export function addReport(program: Command, context: CommandContext): void {
  program
    .command("report")
    .description("add up an access log by user, site, category, hour …: as tables, or as a page with plots")
    .option("--from <file>", "access log of the format json, gzip too; - is standard input; repeatable", several)
    .option("--by <words>", "what to add up by", usual)
    .option("--top <number>", "rows of each table", "15")
    .option("--since <time>", "leave out what is older: 24h, 7d, 2026-11-26, 2026-11-26T08:00")
    .option("--until <time>", "leave out what is younger")
    .option("--only <word=value>", "only lines with this value, such as user=ann or action=block; repeatable", several)
    .option("--html <file>", "write a page with plots")
    .option("--json", "print numbers for programs")
    .addHelpText("after", examples)
    .action((options: ReportOptions) => report(options, context))
}

async function report(options: ReportOptions, context: CommandContext): Promise<void> {
  const files = options.from ?? []
  if (files.length === 0) throw new UsageError("--from names the access log, such as --from access.log")
  const top = Number(options.top)
  if (!Number.isInteger(top) || top < 1 || top > 10_000) throw new UsageError(`--top wants a whole number from 1 to 10000, got ${options.top}`)
  const tally = new Tally(options.by.split(",").map(word => knownWord(word.trim(), dimensionWords, "--by")))
  const wanted = filterOf(options, Date.now())
  for (const file of files) await checkReadable(file)
  const counts = { lines: 0, bad: 0 }
  try {
    await withProgress(context, `reading ${files.join(", ")}`, readAll(files, tally, wanted, counts))
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error
    context.err.write(`${styleOf(context.err, context.env).red("bothways:")} ${error.message}\n`)
    return context.exit(EXIT.failed)
  }
  if (counts.bad > 0 && counts.bad === counts.lines)
    throw new UsageError(`no line of ${files.join(", ")} is one of the access log format json: log with \`accessLog: { format: json }\``)
  tell(tally, options, top, context)
  if (counts.bad > 0) context.err.write(`${counts.bad} of ${counts.lines} lines could not be read\n`)
}

async function readAll(
  files: readonly string[],
  tally: Tally,
  wanted: (record: LogRecord) => boolean,
  counts: { lines: number; bad: number },
): Promise<void> {
  for (const file of files) {
    await readLines(file, line => {
      counts.lines++
      const record = readLogRecord(line)
      if (record === null) counts.bad++
      else if (wanted(record)) tally.add(record)
      return true
    })
  }
}

function tell(tally: Tally, { html, json }: ReportOptions, top: number, context: CommandContext): void {
  if (html !== undefined) {
    writeFileSync(html, reportPage(tally, top, new Date()))
    context.out.write(`${html}\n`)
  }
  if (json === true) {
    const by = Object.fromEntries([...tally.by.keys()].map(dimension => [dimension, Object.fromEntries(tally.sorted(dimension).slice(0, top))]))
    context.out.write(`${JSON.stringify({ all: tally.all, by })}\n`)
  } else if (html === undefined) context.out.write(reportText(tally, top, styleOf(context.out, context.env)))
}

/** Which lines count. */
function filterOf({ since, until, only = [] }: ReportOptions, nowMs: number): (record: LogRecord) => boolean {
  const from = since === undefined ? -Infinity : timeOf(since, nowMs, "--since")
  const to = until === undefined ? Infinity : timeOf(until, nowMs, "--until")
  const rules = only.map(text => {
    const at = text.indexOf("=")
    if (at < 1) throw new UsageError(`--only wants word=value, such as user=ann, got ${JSON.stringify(text)}`)
    const word = text.slice(0, at)
    const value = text.slice(at + 1)
    if (word === "action") return (record: LogRecord) => record.action === value
    const read = dimensions[knownWord(word, [...dimensionWords, "action"], "--only") as Dimension]
    return (record: LogRecord) => read(record) === value
  })
  const isTimed = since !== undefined || until !== undefined
  return record => (!isTimed || (record.timeMs >= from && record.timeMs <= to)) && rules.every(rule => rule(record))
}

const spans: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `24h` ago, or a date with or without a time, in the machine's zone unless it says one. */
function timeOf(text: string, nowMs: number, option: string): number {
  const ago = /^(\d{1,6})([mhdw])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * spans[ago[2]!]!
  const time = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text)
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time)) return time
  throw new UsageError(`${option}: expected 24h, 7d, 2026-11-26 or 2026-11-26T08:00, got ${JSON.stringify(text)}`)
}
