import { z } from "zod"
import { count, field, listOf, maybe, nameSchema, pathSchema, ratio, size } from "../../base/index.ts"
import { listEntryTrouble, listFormats } from "../../route/index.ts"

const entrySchema = z.string().superRefine((text, context) => {
  const message = listEntryTrouble(text)
  if (message !== "") context.addIssue({ code: "custom", message })
})

const longSchema = z.strictObject({
  files: maybe(listOf(pathSchema), "Files with names, read again when they change."),
  names: maybe(
    z.array(entrySchema).min(1).max(100_000),
    "Names that are in the list beside those of the files: `shop.example` with the names below it, `*.shop.example` for these alone.",
  ),
  format: field(
    z.enum(listFormats),
    "auto",
    "What a line of the files is: plain (a name), hosts (0.0.0.0 name), adblock (||name^), dnsmasq (address=/name/), or auto, which tells them apart line by line.",
  ),
  category: maybe(nameSchema, "What the names are, for the matcher `category`. Several lists may share one."),
  thirdParty: field(
    z.enum(["skip", "take"]),
    "skip",
    "Adblock rules that hold only where another site embeds the name ($third-party), which a proxy cannot see: skip them, or take them for the name as a whole.",
  ),
  entriesMin: field(count(0, 100_000_000), 1, "Files with fewer names are refused: an empty file is a mistake more often than a wish."),
  entriesMax: field(count(1, 100_000_000), 5_000_000, "Files with more different names are refused."),
  bytesMax: field(size({ min: 1, max: 4 * 1024 ** 3 }), "256MB", "Size of all files together."),
  shrinkMax: field(
    ratio(),
    "30%",
    "A new version that has lost a larger share of the names is refused when there were 1000 or more: a file that is cut off reads well. `bothways reload` takes it.",
  ),
})

/** A list of names. In short: the names themselves. */
export const namesListSchema = z
  .union([
    z
      .array(entrySchema)
      .min(1)
      .max(100_000)
      .transform((names): z.output<typeof longSchema> => longSchema.parse({ names })),
    longSchema,
  ])
  .superRefine((list, context) => {
    if (list.files === null && list.names === null)
      context.addIssue({ code: "custom", message: "expected files or names: where does the list come from?" })
  })
