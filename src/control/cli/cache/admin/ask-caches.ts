import { askAdmin } from "../../admin-client.ts"
import { type AdminOptions, adminTarget } from "../../admin-options.ts"
import { EXIT } from "../../exit-codes.ts"
import type { CommandContext } from "../../program.ts"
import { styleOf, withProgress } from "../../terminal.ts"

export interface Question {
  readonly method: "GET" | "POST"
  readonly path: string
  /** What is undefined is left out. */
  readonly query: Readonly<Record<string, string | undefined>>
}

export interface CachesReply<T> {
  /** As the instance wrote it. */
  readonly body: string
  readonly value: T
}

/** Asks a running instance about its caches. null = it did not answer with what was asked for, which has been said, with the exit code. */
export async function askCaches<T>(question: Question, options: AdminOptions, context: CommandContext): Promise<CachesReply<T> | null> {
  const target = await adminTarget(options, context)
  const given = Object.entries(question.query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const path = given.length === 0 ? question.path : `${question.path}?${new URLSearchParams(given)}`
  const { status, body } = await withProgress(context, `waiting for ${target.address}`, askAdmin(target, question.method, path))
  const value = read(body)
  if (status === 200 && value !== null) return { body, value: value as T }
  const error = typeof value?.["error"] === "string" ? value["error"] : ""
  const isOurs = error !== "" && [400, 404, 409, 422].includes(status)
  const hint = "it wants the admin token: set BOTHWAYS_ADMIN_TOKEN or name the --config"
  const told = isOurs ? error : `${target.address} answered ${status}; ${status === 401 ? hint : error || "is this the admin address of bothways?"}`
  context.err.write(`${styleOf(context.err, context.env).red("bothways:")} ${told}\n`)
  context.exit(isOurs ? EXIT.badConfig : EXIT.noInstance)
  return null
}

function read(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
