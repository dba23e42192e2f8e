import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { type Program, startProgram } from "../../support/processes.ts"
import { until } from "../../support/wait.ts"
import type { Outcome, SuiteTest } from "./verdicts.ts"

const here = import.meta.dirname

/** A copy of github.com/http-tests/cache-tests: the one from npm, or another whose folder HTTP_CACHE_TESTS names. It runs under Node, for which it is made. */
const root = process.env.HTTP_CACHE_TESTS ?? dirname(fileURLToPath(import.meta.resolve("http-cache-tests/package.json")))
// Newer copies have their engine in a folder of its own.
const engine = existsSync(join(root, "test-engine")) ? join(root, "test-engine") : root

interface SuiteGroup {
  readonly id: string
  readonly tests: readonly { id: string; kind?: string; depends_on?: string[]; browser_only?: boolean }[]
}

/** Every test that a proxy can be asked, in the suite's order. */
export async function suiteTests(): Promise<SuiteTest[]> {
  const { default: groups } = (await import(pathToFileURL(join(root, "tests/index.mjs")).href)) as { default: SuiteGroup[] }
  return groups.flatMap(group =>
    group.tests
      .filter(test => !test.browser_only)
      .map(test => ({ id: test.id, group: group.id, kind: (test.kind ?? "required") as SuiteTest["kind"], dependsOn: test.depends_on ?? [] })),
  )
}

/** The suite's origin, running. */
export class SuiteServer implements AsyncDisposable {
  readonly address: string
  private readonly program: Program

  constructor(program: Program, port: string) {
    this.program = program
    this.address = `127.0.0.1:${port}`
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program.stop().then(() => {})
  }
}

export async function startSuiteServer(): Promise<SuiteServer> {
  const program = startProgram("suite server", "node", [join(here, "suite-server.mjs"), engine])
  await until(() => program.lines.length > 0 || program.hasExited, undefined, "the start of the suite's server")
  const port = /^port (\d+)$/.exec(program.lines[0] ?? "")?.[1]
  if (port === undefined) throw new Error(program.tail())
  return new SuiteServer(program, port)
}

/** Where the suite's client sends its requests. */
export interface Subject {
  /** `host:port` of the URLs asked for. */
  readonly host: string
  /** `host:port` of the forward proxy that is asked for them. */
  readonly proxy?: string
}

/** Runs the suite, or those of its tests that `ids` names, through `subject`. */
export async function runSuite(subject: Subject, ids: readonly string[] = []): Promise<ReadonlyMap<string, Outcome>> {
  const args = [join(here, "suite-client.mjs"), root, engine, `http://${subject.host}`, subject.proxy ?? "", ...ids]
  const program = startProgram("suite client", "node", args)
  const code = await program.exit()
  if (code !== 0) throw new Error(`the suite's client ended with ${code}; ${program.tail()}`)
  return new Map(Object.entries(JSON.parse(program.lines[0]!) as Record<string, Outcome>))
}
