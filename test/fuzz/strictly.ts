import { readRequest, type StrictMessage } from "../support/strict-reader.ts"

/** The requests that the octets are when nothing is forgiven but empty lines in front. */
export function strictly(text: string): StrictMessage[] {
  const list: StrictMessage[] = []
  for (let at = 0; ; ) {
    for (let skipped = 0; skipped < 4 && text.startsWith("\r\n", at); skipped++) at += 2
    const reading = readRequest(text, at, true)
    if (reading.is !== "whole") return list
    list.push(reading.message)
    at = reading.end
  }
}
