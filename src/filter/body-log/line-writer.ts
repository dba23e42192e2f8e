import type { Exchange } from "../../flow/index.ts"
import type { Time } from "../../http/index.ts"
import type { Lines } from "../../plugin/index.ts"
import type { MediaTypes } from "../compress/media-type-list.ts"
import type { Captured } from "./body-log.ts"
import type { Capture } from "./capture.ts"
import type { Redaction } from "./redaction.ts"

export interface LineParts {
  readonly types: MediaTypes
  readonly redaction: Redaction
  /** null = nothing is served, and nothing written. */
  readonly lines: Lines | null
  readonly dropped: { add(n: number): void }
  readonly time: Time
}

/** Writes one JSON object a line for each exchange. */
export class LineWriter {
  private readonly parts: LineParts
  private droppedBefore = 0

  constructor(parts: LineParts) {
    this.parts = parts
    this.droppedBefore = parts.lines?.dropped() ?? 0
  }

  write(x: Exchange, captured: Captured): void {
    const { lines, dropped } = this.parts
    if (lines === null) return
    lines.write(`${JSON.stringify(this.lineOf(x, captured))}\n`)
    const now = lines.dropped()
    if (now > this.droppedBefore) dropped.add(now - this.droppedBefore)
    this.droppedBefore = now
  }

  private lineOf(x: Exchange, { requestFields, request, response }: Captured): Record<string, unknown> {
    const { time, redaction } = this.parts
    return {
      time: new Date(time.clock.wall()).toISOString(),
      route: x.plan!.route.name,
      client: x.clientAddress,
      user: x.user === "" ? undefined : x.user,
      method: x.method,
      host: x.host,
      target: `${x.path}${redaction.query(x.query)}`,
      status: x.status,
      fault: x.fault?.code,
      peer: x.peerName === "" ? undefined : x.peerName,
      durationMs: Math.round((time.clock.now() - x.startedAt) * 100) / 100,
      request: this.side(requestFields, request),
      response: this.side(requestFields === "" ? "" : x.response.render(), response),
    }
  }

  /** `lines` are its fields, "" = they are not logged. */
  private side(lines: string, body: Capture | null): Record<string, unknown> {
    return { ...(lines === "" ? {} : { fields: this.fieldsOf(lines) }), ...(body === null ? {} : this.bodyOf(body)) }
  }

  private fieldsOf(lines: string): Record<string, string> {
    const fields: Record<string, string> = Object.create(null) as Record<string, string>
    for (const line of lines.split("\r\n")) {
      const colon = line.indexOf(":")
      if (colon <= 0) continue
      const name = line.slice(0, colon).toLowerCase()
      const value = this.parts.redaction.field(name, line.slice(colon + 1).trim())
      fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`
    }
    return fields
  }

  private bodyOf(body: Capture): Record<string, unknown> {
    const { contentType, coding, bytes } = body
    const isText = (coding === "" || coding.toLowerCase() === "identity") && this.parts.types.has(contentType)
    if (bytes === 0 || !isText) return { bytes }
    return { bytes, ...(body.isCut ? { cut: true } : {}), body: this.parts.redaction.body(contentType, body.text(), body.isCut) }
  }
}
