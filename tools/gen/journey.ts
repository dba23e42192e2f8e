import type { Phase } from "../../src/config/compile/phases.ts"

/** docs/journey.md, from the table of phases. */
export function renderJourney(phases: readonly Phase[]): string {
  return [
    "# The journey of a request",
    "",
    "Both directions are the same stages in the same order; a stage that a listener or a route does not use is not in its plan. A fault goes back to",
    "`peer` when another attempt is allowed, else to a local reply, which enters at `response`. `log` always runs.",
    "",
    "| # | stage | room | reverse | forward |",
    "|--:|---|---|---|---|",
    ...phases.map((phase, index) => `| ${index} | \`${phase.name}\` | ${phase.room} | ${phase.reverse} | ${phase.forward} |`),
    "",
    "Written by `npm run gen` from `src/config/compile/phases.ts`.",
    "",
  ].join("\n")
}
