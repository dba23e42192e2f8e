import { z } from "zod"
import { defineMatcher } from "../../../plugin/index.ts"

export default defineMatcher<boolean>({
  name: "inspected",
  summary: "Whether the request came inside a tunnel whose TLS we opened (`forward.inspect`): true or false.",
  options: z.boolean(),
  compile: wanted => x => (x.notes?.inside ?? false) === wanted,
  describe: wanted => (wanted ? "the request did not come inside a tunnel that we opened" : "the request came inside a tunnel that we opened"),
})
