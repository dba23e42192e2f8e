import { z } from "zod"
import { count, FAULT, field, size } from "../../base/index.ts"
import { changeResponseBody, type Exchange, FAULT_VERDICT, NEXT, notesOf, type Verdict } from "../../flow/index.ts"
import { BODY_NONE, BODY_TUNNEL, NAME } from "../../http/index.ts"
import { defineFilter, type FilterDeps, type OptionProblem } from "../../plugin/index.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { isOwnAnswer } from "../own-answer.ts"
import { fileProblems } from "../file-problems.ts"
import { type Phrase, PhraseCount, PhraseTable, readPhrase, readPhrases, wordsOf } from "./phrases.ts"
import { ReadBody } from "./read-body.ts"

const phraseSchema = z.string().superRefine((text, context) => {
  try {
    readPhrase(text, 1, "phrase")
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message })
  }
})

const options = z
  .strictObject({
    phrases: field(
      z.array(phraseSchema),
      [],
      'Words and phrases, each with what it counts if it is not `score`: "casino", "free spins = 40", "addiction help = -60".',
    ),
    files: field(z.array(z.string().min(1)), [], "Files of such lines, read again when they change."),
    score: field(count(1, 100_000), 100, "What a phrase counts that does not say it."),
    limit: field(count(1, 1_000_000), 100, "From this sum on a page is blocked."),
    in: field(z.array(z.enum(["url", "response"])).min(1), ["url", "response"], "Where words are looked for."),
    action: field(z.enum(["block", "log"]), "block", "block = 403; log = only told."),
    bytesMax: field(size({ min: 1024, max: 16 * 1024 ** 2 }), "256KB", "Octets of a response that are read; they wait in memory until then."),
  })
  .refine(({ phrases, files }) => phrases.length + files.length > 0, "there are no words: write `phrases`, `files` or both")

type Options = z.output<typeof options>

const readable = /^(?:text\/(?!css|javascript)[a-z0-9.+-]+|application\/(?:xhtml\+xml|json|[a-z0-9.+-]+\+json))/

class Keywords {
  private readonly options: Options
  private table: PhraseTable
  private readonly ofFiles: Phrase[][] = []
  private readonly counter: { add(n: number): void }

  constructor(options: Options, deps: FilterDeps) {
    this.options = options
    this.counter = deps.counter("keywords_found", "Requests and responses in which words were found up to the limit.")
    for (const [i, file] of options.files.entries()) {
      const path = deps.path(file)
      this.ofFiles[i] = readPhrases(
        deps.watchFile(path, content => {
          this.ofFiles[i] = readPhrases(content, options.score)
          this.table = this.build()
        }),
        options.score,
      )
    }
    this.table = this.build()
  }

  private build(): PhraseTable {
    return new PhraseTable([...this.options.phrases.map(text => readPhrase(text, this.options.score, "phrase")), ...this.ofFiles.flat()])
  }

  get size(): number {
    return this.table.size
  }

  access(x: Exchange): Verdict {
    const found = new PhraseCount(this.table)
    found.take(wordsOf(decoded(`${x.host} ${x.path} ${x.query}`)))
    if (found.score < this.options.limit) return NEXT
    this.tell(x, found.first)
    if (this.options.action === "log") return NEXT
    x.fault = FAULT.contentBlocked
    return FAULT_VERDICT
  }

  /** Of a part nobody can tell what stands in the whole: it is asked for whole. */
  request(x: Exchange): Verdict {
    x.request.remove(NAME.range)
    x.request.remove(NAME.ifRange)
    return NEXT
  }

  response(x: Exchange): Verdict {
    if (isOwnAnswer(x) || x.responseBody === BODY_NONE || x.responseBody === BODY_TUNNEL || x.method === "HEAD") return NEXT
    const type = fieldText(x.response, "content-type").trim().toLowerCase()
    const coding = fieldText(x.response, "content-encoding")
    if (!readable.test(type) || (coding !== "" && coding.toLowerCase() !== "identity") || type.startsWith("text/event-stream")) return NEXT
    const { generation } = x
    changeResponseBody(
      x,
      new ReadBody({
        table: this.table,
        limit: this.options.limit,
        bytesMax: this.options.bytesMax,
        holds: this.options.action === "block",
        html: type.includes("html"),
        charset: /charset="?([a-z0-9._-]+)/.exec(type)?.[1] ?? "utf-8",
        reached: phrase => {
          if (x.generation === generation) this.tell(x, phrase)
        },
      }),
    )
    return NEXT
  }

  private tell(x: Exchange, phrase: string): void {
    this.counter.add(1)
    const notes = notesOf(x)
    notes.rule = `keywords: ${phrase}`
    notes.action = this.options.action
  }
}

function decoded(text: string): string {
  const plain = text.replaceAll("+", " ")
  try {
    return decodeURIComponent(plain)
  } catch {
    return plain
  }
}

export default defineFilter({
  name: "keywords",
  summary: "Blocks pages by the words in them: phrases that count, up to a limit.",
  options,
  build(settings, deps) {
    const filter = new Keywords(settings, deps)
    return {
      ...(settings.in.includes("url") ? { access: (x: Exchange) => filter.access(x) } : {}),
      ...(settings.in.includes("response") ? { request: (x: Exchange) => filter.request(x), response: (x: Exchange) => filter.response(x) } : {}),
      describe: () => `${filter.size} phrases, ${settings.action} from ${settings.limit} on`,
    }
  },
  problems: ({ files, score }, resolve): readonly OptionProblem[] =>
    files.flatMap((file, i) => fileProblems(["files", i], resolve(file), content => void readPhrases(content, score))),
})
