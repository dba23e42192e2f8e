import type { Command } from "commander"
import type { ListAnswer, ListEntry } from "../../lists/list-feature.ts"
import { addAdminOptions, type AdminOptions } from "../admin-options.ts"
import { askCaches } from "../cache/admin/ask-caches.ts"
import type { CommandContext } from "../program.ts"
import { styleOf } from "../terminal.ts"
import { answersText, listsText } from "./lists-text.ts"

interface ListsOptions extends AdminOptions {
  readonly json?: boolean
}

const examples = `
Examples:
  bothways lists                          what is loaded, since when, and what was left out
  bothways lists www.shop.example         which lists hold this host, and by which name
  bothways lists ads www.shop.example     the same for one list
`

/** `bothways lists [[LIST] HOST]`. */
export function addLists(program: Command, context: CommandContext): void {
  const command = program
    .command("lists")
    .description("the lists of names on a running instance, or those of them that hold a host")
    .argument("[list]", "only this list; left out when a host stands alone")
    .argument("[host]", "a host such as www.shop.example")
    .option("--json", "as JSON")
    .addHelpText("after", examples)
  addAdminOptions(command).action(async (first: string | undefined, second: string | undefined, options: ListsOptions) => {
    const [name, host] = second === undefined ? [undefined, first] : [first, second]
    const question = { method: "GET" as const, path: "/lists", query: { name, host } }
    const reply = await askCaches<{ lists?: ListEntry[]; host?: string; answers?: ListAnswer[] }>(question, options, context)
    if (reply === null) return
    const style = styleOf(context.out, context.env)
    const { lists, answers, host: form = "" } = reply.value
    const text = answers === undefined ? listsText(lists ?? [], style) : answersText(form, answers, style)
    context.out.write(options.json === true ? reply.body : text)
  })
}
