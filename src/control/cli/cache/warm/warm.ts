import { type Command, InvalidArgumentError } from "commander"
import { duration } from "../../../../base/index.ts"
import { version } from "../../../version.ts"
import { EXIT } from "../../exit-codes.ts"
import type { CommandContext } from "../../program.ts"
import { several } from "../../serve-options.ts"
import { styleOf } from "../../terminal.ts"
import { UsageError } from "../../usage-error.ts"
import { count, plural } from "../cell.ts"
import { LogScan, scanLogs } from "../log/log-scan.ts"
import { placeOf, type Unaskable, unaskableWords } from "./askable.ts"
import { type Destination, readProxy, readTo, Sender } from "./destination.ts"
import { type Asked, MostAsked } from "./most-asked.ts"
import { showProgress } from "./progress.ts"
import { type WarmResult, WarmRun } from "./warm-run.ts"
import { warmJson, warmText } from "./warm-text.ts"

interface WarmOptions {
  readonly from: readonly string[]
  readonly top: number
  readonly to?: readonly string[]
  readonly proxy?: string
  readonly host?: string
  readonly route?: readonly string[]
  readonly header?: readonly string[]
  readonly concurrency: number
  readonly rate?: number
  readonly timeout?: number
  readonly insecure?: boolean
  readonly json?: boolean
}

const TOP_MAX = 100_000
const CONCURRENCY_MAX = 256
const RATE_MAX = 100_000
const SILENCE_MS = 30_000

const examples = `
Each URL is asked for once with GET, the most asked first, with the Host of the log; bodies are read and dropped. What a browser accepts is asked for
(Accept-Encoding: gzip, deflate, br, zstd), because caches keep a variant for each; -H sends other fields. Which requests count is as for \`cache size\`.
--to may be given twice, as http:// and as https://: what was asked over the one is not kept for the other. Only --concurrency
and --rate spare the servers behind.

Exit codes: 0 all were answered, whatever their status   1 some were not   4 nobody answers   130 ended by Ctrl-C, with a summary

Examples:
  bothways cache warm --from access.log --top 1000 --to http://127.0.0.1:8080
  bothways cache warm --from access.log --proxy http://127.0.0.1:3128 --rate 50
`

export function addCacheWarm(cache: Command, context: CommandContext): void {
  cache
    .command("warm")
    .description("ask the running proxy for what was asked most in access logs, so that its cache has it")
    .requiredOption("--from <file>", "access log; repeatable", several)
    .option("--top <n>", "how many URLs", wholeUpTo(TOP_MAX), 1000)
    .option("--to <address>", "listener to ask as a server: http://host:port, https://host:port, unix:/path; once for each scheme", several)
    .option("--proxy <url>", "listener to ask as a forward proxy: http://[user:password@]host:port")
    .option("--host <name>", "Host of requests for which the log names none (format combined)", readHost)
    .option("--route <name>", "only requests of this route; repeatable", several)
    .option("-H, --header <field>", "'Name: value' for each request; repeatable", several)
    .option("--concurrency <n>", "requests at a time", wholeUpTo(CONCURRENCY_MAX), 8)
    .option("--rate <n>", "requests a second at the most (default: no limit)", wholeUpTo(RATE_MAX))
    .option("--timeout <duration>", "a request has failed when nothing comes for this long (default: 30s)", readDuration)
    .option("--insecure", "do not verify the listener's certificate")
    .option("--json", "the summary as JSON")
    .addHelpText("after", examples)
    .action(async (options: WarmOptions) => {
      const destinations = readDestinations(options)
      const fields = readFields(options.header ?? [])
      const wanted = await readMostAsked(options, destinations, context)
      if (wanted !== null) context.exit(await warm(wanted, options, { destinations, fields }, context))
    })
}

/** What to ask for; null when the log could not be read to its end, which has been said. */
async function readMostAsked(options: WarmOptions, destinations: readonly Destination[], context: CommandContext): Promise<Asked[] | null> {
  const most = new MostAsked()
  const left = new Map<Unaskable, number>()
  const scan = new LogScan(options.route ?? [], request => {
    const place = placeOf(request, destinations, options.host ?? "")
    if (typeof place === "string") left.set(place, (left.get(place) ?? 0) + 1)
    else most.add(place.scheme, place.authority, place.target)
  })
  const counts = await scanLogs(scan, options.from, context)
  if (counts === null) return null
  const warn = (text: string) => context.err.write(`${styleOf(context.err, context.env).yellow("warning:")} ${text}\n`)
  if (counts.bad > 0) warn(`${count(counts.bad)} of ${count(counts.lines)} lines could not be read`)
  for (const [reason, times] of left) warn(`left out: ${plural(times, "request", "requests")} ${unaskableWords[reason]}`)
  return most.top(options.top)
}

async function warm(
  wanted: readonly Asked[],
  options: WarmOptions,
  { destinations, fields }: { readonly destinations: readonly Destination[]; readonly fields: Readonly<Record<string, string>> },
  context: CommandContext,
): Promise<number> {
  const settings = { insecure: options.insecure === true, fields, connections: options.concurrency }
  const senders = destinations.map(destination => new Sender(destination, settings))
  const senderOf = (asked: Asked) => senders.find(({ destination }) => destination.tls === (asked.scheme === "https"))!
  const run = new WarmRun(wanted, senderOf, { concurrency: options.concurrency, rate: options.rate ?? 0, silenceMs: options.timeout ?? SILENCE_MS })
  const interrupt = () => run.stop("interrupted")
  process.once("SIGINT", interrupt)
  const hideProgress = showProgress(context, wanted.length, run.result)
  const result = await run.run()
  hideProgress()
  process.removeListener("SIGINT", interrupt)
  for (const sender of senders) sender.close()
  context.out.write(
    options.json === true
      ? `${JSON.stringify(warmJson(result, wanted.length), null, 2)}\n`
      : warmText(result, wanted.length, styleOf(context.out, context.env)),
  )
  return exitCode(result, destinations, context)
}

function exitCode(result: WarmResult, destinations: readonly Destination[], context: CommandContext): number {
  if (result.stopped === "interrupted") return EXIT.interrupted
  if (result.failed === 0) return EXIT.ok
  if (result.failed < result.asked) return EXIT.failed
  const names = destinations.map(({ name }) => name).join(" and ")
  context.err.write(`${styleOf(context.err, context.env).red("bothways:")} nobody answers at ${names}\n`)
  return EXIT.noInstance
}

function readDestinations(options: WarmOptions): readonly Destination[] {
  const { to, proxy } = options
  if ((to === undefined) === (proxy === undefined)) throw new UsageError("expected either --to or --proxy: where is the proxy to be asked?")
  if (proxy !== undefined) return [readProxy(proxy)]
  const destinations = to!.map(readTo)
  const schemes = new Set(destinations.map(({ tls }) => tls))
  if (schemes.size < destinations.length) throw new UsageError("--to: expected one address for each scheme, http and https")
  if (options.insecure === true && !schemes.has(true)) throw new UsageError("--insecure is for https:// addresses")
  return destinations
}

function readFields(given: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {
    "User-Agent": `bothways/${version} (cache warm)`,
    Accept: "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
  }
  for (const text of given) {
    const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)$/.exec(text)
    if (found === null) throw new UsageError(`--header: expected 'Name: value', got ${JSON.stringify(text)}`)
    const [, name, value] = found
    if (name!.toLowerCase() === "host") throw new UsageError("--header: Host comes from the log, or from --host")
    const same = Object.keys(fields).find(other => other.toLowerCase() === name!.toLowerCase())
    if (same !== undefined) delete fields[same]
    fields[name!] = value!
  }
  return fields
}

function readHost(text: string): string {
  if (!/^[!-~]+$/.test(text) || /[/?#@]/.test(text)) throw new InvalidArgumentError("expected a host such as shop.example or shop.example:8080")
  return text
}

function wholeUpTo(max: number): (text: string) => number {
  return text => {
    const value = /^\d{1,7}$/.test(text) ? Number(text) : 0
    if (value < 1 || value > max) throw new InvalidArgumentError(`expected a number from 1 to ${max}`)
    return value
  }
}

const durationSchema = duration({ min: 10 })

function readDuration(text: string): number {
  const parsed = durationSchema.safeParse(text)
  if (!parsed.success) throw new InvalidArgumentError(parsed.error.issues[0]!.message)
  return parsed.data
}
