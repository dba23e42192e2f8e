import { AddressError } from "./address.ts"
import { CidrTableBuilder, type CidrTables } from "./cidr-tables.ts"

/** Reads one address, prefix or range a line; `#` and `;` begin comments. Throws AddressError with the number of the line. */
export function readCidrLines(content: string): CidrTables {
  const builder = new CidrTableBuilder()
  let line = 0
  for (let at = content.charCodeAt(0) === 0xfeff ? 1 : 0; at < content.length; ) {
    line++
    let end = content.indexOf("\n", at)
    if (end < 0) end = content.length
    let from = at
    let to = from
    while (to < end && !isComment(content.charCodeAt(to))) to++
    while (from < to && isBlank(content.charCodeAt(from))) from++
    while (to > from && isBlank(content.charCodeAt(to - 1))) to--
    if (to > from) addLine(builder, content.substring(from, to), line)
    at = end + 1
  }
  return builder.build()
}

function addLine(builder: CidrTableBuilder, text: string, line: number): void {
  try {
    builder.add(text)
  } catch (error) {
    if (error instanceof AddressError) throw new AddressError(`line ${line}: ${error.message}`)
    throw error
  }
}

function isComment(code: number): boolean {
  return code === 35 || code === 59
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9 || code === 13
}
