import type { Fault, RetryRule } from "../../src/base/index.ts"

const retryWords: Record<RetryRule, string> = {
  never: "never",
  "if-reused": "if the connection was reused",
  "if-idempotent": "if the method is idempotent",
  always: "always",
}

/** docs/faults.md, from the fault table. */
export function renderFaults(faults: readonly Fault[]): string {
  const rows = faults.map(
    fault =>
      `| \`${fault.code}\` | ${fault.status || "none"} | ${retryWords[fault.retry]} | ${fault.close ? "closed" : "kept"} | ${cell(fault.description)} |`,
  )
  return [
    "# Faults",
    "",
    "Everything that can go wrong with an exchange. The code is the word in the access log's `fault` field, the label of the metrics and the body of the",
    "local reply. The first part says whose trouble it is: the client's, our own decision, the upstream's, or a plug-in's. Status is what the client gets",
    "when nothing has been sent yet (none = the connection is only closed); retry says when another attempt is allowed.",
    "",
    "| code | status | retry | client connection | meaning |",
    "|---|--:|---|---|---|",
    ...rows,
    "",
    "Written by `npm run gen` from `src/base/fault.ts`.",
    "",
  ].join("\n")
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|")
}
