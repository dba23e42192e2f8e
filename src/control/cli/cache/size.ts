import { type Command, InvalidArgumentError } from "commander"
import { size } from "../../../base/index.ts"
import { CacheSizing, SIZING_OBJECTS_MAX } from "../../../cache/index.ts"
import type { CommandContext } from "../program.ts"
import { several } from "../serve-options.ts"
import { styleOf } from "../terminal.ts"
import { LogScan, scanLogs } from "./log/log-scan.ts"
import { sizeText } from "./size-text.ts"

interface SizeOptions {
  readonly from: readonly string[]
  readonly sizes?: readonly number[]
  readonly route?: readonly string[]
  readonly urls: number
  readonly json?: boolean
}

/** Sizes that one run tries: each costs time and memory. */
const SIZES_MAX = 64
const URLS_MAX = 2 ** 24
// 16 MB to 64 GB
const usual = Array.from({ length: 13 }, (_, power) => 2 ** (24 + power))

const examples = `
Requests that count: GET, with a status that caches keep (200, 203, 204, 300, 301, 304, 308, 404, 405, 410, 414, 501), unless the log's own cache says that
no cache may keep the answer.
The log has the format json or combined, plain or gzip; - reads standard input. Files are read in the order of their first lines' times. The combined format
names no host, so that equal paths of several hosts are one URL there. A URL whose body changes its size, as compression makes it do, is one entry.

At most --urls URLs are followed at a time (memory: some 150 octets for each, whatever the log's size); above, a sample of the URLs is, chosen by hash.

Examples:
  bothways cache size --from access.log
  bothways cache size --from access.log --from access.log.1.gz --sizes 256MB,1GB,4GB
`

export function addCacheSize(cache: Command, context: CommandContext): void {
  cache
    .command("size")
    .description("what hit ratio caches of several sizes would have had, from access logs")
    .requiredOption("--from <file>", "access log; repeatable", several)
    .option("--sizes <list>", "sizes to try (default: 16MB to 64GB, up to where the curve is flat)", readSizes)
    .option("--route <name>", "only requests of this route; repeatable", several)
    .option("--urls <n>", "URLs to follow at a time", readUrls, SIZING_OBJECTS_MAX)
    .option("--json", "as JSON")
    .addHelpText("after", examples)
    .action(async (options: SizeOptions) => {
      const sizing = new CacheSizing({ capacities: options.sizes ?? usual, objectsMax: options.urls })
      const scan = new LogScan(options.route ?? [], request => {
        sizing.add(request.scheme + request.authority + request.target, request.bytes, request.whole && request.status !== 304)
      })
      const counts = await scanLogs(scan, options.from, context)
      if (counts === null) return
      const report = sizing.report()
      context.out.write(
        options.json === true
          ? `${JSON.stringify({ ...report, log: counts }, null, 2)}\n`
          : sizeText(report, counts, options.sizes !== undefined, styleOf(context.out, context.env)),
      )
    })
}

const sizeSchema = size({ min: 1024, max: 2 ** 50 })

function readSizes(text: string): readonly number[] {
  const parts = text.split(",").map(part => sizeSchema.safeParse(part))
  if (parts.length > SIZES_MAX) throw new InvalidArgumentError(`expected at most ${SIZES_MAX} sizes`)
  return parts.map(part => {
    if (!part.success) throw new InvalidArgumentError(part.error.issues[0]!.message)
    return part.data
  })
}

function readUrls(text: string): number {
  const urls = /^\d{1,8}$/.test(text) ? Number(text) : 0
  if (urls < 1000 || urls > URLS_MAX) throw new InvalidArgumentError(`expected a number from 1000 to ${URLS_MAX}`)
  return urls
}
