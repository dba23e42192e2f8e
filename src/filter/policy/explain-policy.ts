import type { Exchange } from "../../flow/index.ts"
import type { PolicyRule } from "./policy-rule.ts"

/** Rules that are named one by one; of those before them only the number is said. */
const LINES_MAX = 200

/** What each rule says of a request, down to the one that decides before anything is sent. */
export function explainPolicy(rules: readonly PolicyRule[], x: Exchange): readonly string[] {
  const lines: string[] = []
  let decided = -1
  for (let i = 0; i < rules.length && decided < 0; i++) {
    const rule = rules[i]!
    const failure = rule.holds(x) ? "" : rule.match.failure(x) || "a path with encoded slashes is allowed only where all of its readings are"
    lines.push(`${rule.isDefault ? "" : `${i + 1} `}${rule.name}: ${failure === "" ? heldText(rule, x) : `no, ${failure}`}`)
    if (failure === "" && rule.answer === null && rule.effect !== "note") decided = i
  }
  const skipped = lines.length - LINES_MAX
  if (skipped > 0) lines.splice(0, skipped, `${skipped} rules before do not hold or decide nothing`)
  if (decided < 0) lines.push("no rule decides before the answer: allowed")
  else if (decided < rules.length - 1) lines.push(`${rules.length - 1 - decided} more not asked`)
  return lines
}

function heldText({ match, answer, isDefault, isTrial, word }: PolicyRule, x: Exchange): string {
  const why = match.names.length === 0 ? (isDefault ? "no rule decides" : "always") : (match.says?.(x) ?? match.names.join(" and "))
  if (answer !== null)
    return x.method === "CONNECT" ? `yes (${why}), but it is about answers, which a tunnel hides` : `yes (${why}), waits for the answer, then ${word}`
  if (isTrial) return `yes (${why}), would ${word} if it were enforced`
  return `yes (${why}): ${word}`
}
