import { statSync } from "node:fs"
import { defineAnswer } from "../../plugin/index.ts"
import { FileAnswer } from "./file-answer.ts"
import { filesOptions } from "./options.ts"

export default defineAnswer({
  name: "files",
  summary: "Answers with a file of a directory.",
  options: filesOptions,
  build(to, { time }) {
    const files = new FileAnswer(to, { now: () => time.clock.now(), wall: () => time.clock.wall() })
    return x => files.answer(x)
  },
  paths: (to, resolve) => ({ ...to, root: resolve(to.root) }),
  problems(to) {
    try {
      return statSync(to.root).isDirectory() ? [] : [{ severity: "error", at: ["root"], text: `${to.root} is a file, not a directory` }]
    } catch {
      return [{ severity: "warning", at: ["root"], text: `there is no directory ${to.root}; every request gets 404 until there is` }]
    }
  },
  describe({ root, strip, index, fallback, listing }) {
    const said = [
      strip === "" ? "" : `without ${strip} in front`,
      index.length === 0 ? "" : `${index.join(" or ")} for directories`,
      listing ? "directories are listed" : "",
      fallback === null ? "" : `${fallback} for pages that are not there`,
    ]
    return [`files of ${root}`, ...said.filter(part => part !== "")].join(", ")
  },
})
