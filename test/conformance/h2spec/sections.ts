import type { Section } from "./case.ts"
import { connections } from "./connections.ts"
import { frameRules } from "./frame-rules.ts"
import { generic } from "./generic.ts"
import { headerRules } from "./header-rules.ts"

/**
 * What h2spec asks of a server, in our own words and on the tests' own client: its 146 cases, and the one that it keeps for its strict mode. Section
 * numbers are those of RFC 7540, as h2spec has them.
 */
export const sections: readonly Section[] = [...generic, ...connections, ...frameRules, ...headerRules]
