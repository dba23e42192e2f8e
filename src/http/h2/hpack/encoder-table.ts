// HOT
/**
 * What an encoder knows of the peer's table, and in which order lines came.
 *
 *   start ─after─> "Server: x\r\n" ─after─> "Date: …\r\n" ─after─> "Content-Length:" ─after─> …     one comparison a line while the order holds
 *   steps: "Server: x\r\n" ─> its step, for lines that came in another order
 */
import { DynamicTable } from "./dynamic-table.ts"
import type { KnownLine } from "./known-line.ts"
import type { KnownName } from "./known-name.ts"

/** The line is in the dynamic table. */
export const IN_TABLE = 0
/** The line is in the static table, at `number`. */
export const IN_STATIC = 1
/** The line is left out. */
export const LEFT_OUT = 2
/** Each line that begins so is left out. */
export const NAME_LEFT_OUT = 3
/** Each line that begins so is a literal. */
export const NAME_LITERAL = 4

const GONE = -1

/** A line, or the beginning of lines, and what came after it the last time. */
export class LineStep {
  readonly text: string
  readonly kind: number
  readonly name: KnownName | null
  readonly value: string
  readonly size: number
  /** Number in the dynamic table, -1 when it is there no more; or the static index. */
  number: number
  after: LineStep | null = null

  constructor(text: string, kind: number, name: KnownName | null, line: KnownLine | null, number: number) {
    this.text = text
    this.kind = kind
    this.name = name
    this.value = line === null ? "" : line.value
    this.size = line === null ? 0 : line.size
    this.number = number
  }
}

export class EncoderTable extends DynamicTable<LineStep> {
  private steps: Map<string, LineStep> | null = null

  /** The step of a line that is in the table, or undefined. */
  find(raw: string): LineStep | undefined {
    return this.steps === null ? undefined : this.steps.get(raw)
  }

  /** The line must fit. */
  add(line: KnownLine): LineStep {
    const step = new LineStep(line.raw, IN_TABLE, line.name, line, this.inserted)
    this.insert(step)
    this.steps ??= new Map()
    this.steps.set(step.text, step)
    return step
  }

  protected override evicted(step: LineStep): void {
    step.number = GONE
    // A row of steps that nobody takes any more would keep each other.
    step.after = null
    this.steps!.delete(step.text)
  }
}
