import { AddressError, PortSet } from "../../../base/index.ts"
import { z } from "zod"
import { defineMatcher, type Match } from "../../../plugin/index.ts"
import { listed, type OneOrMore, oneOrMore } from "../../one-or-more.ts"

const portSchema: z.ZodType<string | number> = z.union([z.string(), z.int()]).superRefine((port, context) => {
  try {
    PortSet.parse([port])
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    context.addIssue({ code: "custom", message: error.message })
  }
})

function compile(options: OneOrMore<string | number>): Match {
  const ports = PortSet.parse(listed(options))
  return x => ports.has(x.port)
}

export default defineMatcher<OneOrMore<string | number>>({
  name: "port",
  summary: "The port that the request names, or its scheme's own: `443`, a range such as `8000-8999`, or a list.",
  options: oneOrMore(portSchema, 'port such as 443 or a range such as "8000-8999"'),
  compile,
  describe: (options, x) => `port is ${x.port}, not ${listed(options).join(", ")}`,
})
