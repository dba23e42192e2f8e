import { FAULT, readDataFile } from "../../base/index.ts"
import { ANSWER, answerBlocked, type Exchange, FAULT_VERDICT, grpcReplyType, notesOf, type Step, type Verdict } from "../../flow/index.ts"
import { blockPageSchema, type BlockPageOptions, blockPageWords, compileBlockPage, defineAnswer } from "../../plugin/index.ts"

function blockStep(options: BlockPageOptions, deps: Parameters<typeof compileBlockPage>[1]): Step {
  const page = compileBlockPage(options, deps)
  return (x: Exchange): Verdict => {
    const rule = x.plan?.route.name ?? ""
    const notes = notesOf(x)
    notes.rule = rule
    notes.action = "block"
    x.fault = FAULT.blocked
    if (grpcReplyType(x) !== "") return FAULT_VERDICT
    answerBlocked(x, page, { rule, detail: "", reason: `Blocked by policy: ${rule}` })
    return ANSWER
  }
}

export default defineAnswer<BlockPageOptions>({
  name: "block",
  summary: "Refuses with a page that says why: the page of a policy, for a whole route.",
  options: blockPageSchema,
  build: blockStep,
  paths: (options, resolve) => (options.file === null ? options : { ...options, file: resolve(options.file) }),
  problems: ({ file }) => {
    if (file === null) return []
    try {
      blockPageWords(readDataFile(file))
      return []
    } catch (error) {
      return [{ severity: "error", at: ["file"], text: error instanceof Error ? error.message : String(error) }]
    }
  },
  describe: ({ status, title }) => `${status} with the page "${title}"`,
})
