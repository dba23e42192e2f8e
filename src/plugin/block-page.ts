import { z } from "zod"
import { count, field, maybe, pathSchema } from "../base/index.ts"
import { type BlockPage, blockWords, compilePageText } from "../flow/index.ts"
import type { FilterDeps } from "./filter.ts"

const words = z.string().max(2000)

const shape = {
  status: field(count(400, 599), 403, "Status: 403, or 451 where a law asks for it (RFC 7725)."),
  title: field(words.min(1), "This page is blocked", "Heading."),
  message: field(words, "The rules of this network do not allow it.", "What is said below the heading."),
  contact: field(words, "", "Whom to ask: a mail address, a URL or a few words."),
  organisation: field(words, "", "Who says no, above the heading."),
  format: field(
    z.enum(["auto", "html", "json", "text"]),
    "auto",
    "auto = what Accept prefers: a page, JSON, or a few words for what asks for neither.",
  ),
  file: maybe(
    pathSchema,
    `Page of your own; read again when it changes. Words that are filled in, escaped: ${Object.keys(blockWords)
      .map(word => `\${${word}}`)
      .join(" ")}.`,
  ),
}

/** Options of a page that tells somebody that something is refused on purpose. All features that refuse have the same. */
export const blockPageSchema = z.strictObject(shape)

export type BlockPageOptions = z.output<typeof blockPageSchema>

/** What a single rule says differently: only what is written counts. */
export const blockPageOverrides = z
  .strictObject(
    Object.fromEntries(
      Object.entries(shape).map(([name, schema]) => [
        name,
        bare(schema)
          .optional()
          .describe(schema.description ?? ""),
      ]),
    ),
  )
  .transform(given => given as Partial<BlockPageOptions>)

function bare(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema instanceof z.ZodPipe ? pathSchema : schema
}

/** Reads a page of an operator's own and throws when it cannot be one: for checks of a config. */
export function blockPageWords(content: string): void {
  compilePageText(content, null, blockWords)
}

/** The page with its file, if it has one, watched: a version that is gone or cannot be read leaves the last good one. */
export function compileBlockPage(options: BlockPageOptions, deps: Pick<FilterDeps, "path" | "watchFile">): BlockPage {
  const { file, ...rest } = options
  if (file === null) return { ...rest, own: null }
  const type =
    rest.format === "auto"
      ? null
      : ({ html: "text/html; charset=utf-8", json: "application/json", text: "text/plain; charset=utf-8" } as const)[rest.format]
  const read = (content: string) => compilePageText(content, type, blockWords)
  const page: { -readonly [K in keyof BlockPage]: BlockPage[K] } = { ...rest, own: null }
  page.own = read(
    deps.watchFile(deps.path(file), content => {
      page.own = read(content)
    }),
  )
  return page
}
