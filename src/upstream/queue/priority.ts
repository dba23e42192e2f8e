// HOT
import type { Exchange } from "../../flow/index.ts"

/** Classes of priority, the most important first. A request that is critical is never shed. */
export const CRITICAL = 0
export const HIGH = 1
export const NORMAL = 2
export const LOW = 3
export type PriorityClass = 0 | 1 | 2 | 3
export const CLASSES = 4

/** The words of the config, by class. */
export const priorityWords = ["critical", "high", "normal", "low"] as const

/** What a route says of the importance of its requests. */
export interface Priority {
  readonly class: PriorityClass
  /** Field, lower case, in which a request says high, normal or low itself; "" = none. */
  readonly header: string
}

/** Nobody calls himself critical. */
export function priorityOf(x: Exchange, priority: Priority | null): PriorityClass {
  if (priority === null) return NORMAL
  if (priority.header === "") return priority.class
  switch (x.request.find(priority.header)?.trim().toLowerCase()) {
    case "high":
      return HIGH
    case "normal":
      return NORMAL
    case "low":
      return LOW
    default:
      return priority.class
  }
}
