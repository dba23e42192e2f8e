import { domainToASCII } from "node:url"
import { normaliseIp } from "../../base/index.ts"

/** Reading of what stands where a list has a name. */
export const NOT_A_NAME = 0
/** Two labels or more, in ASCII: it can be taken as it stands, whatever the case of its letters. */
export const PLAIN_NAME = 1
/** One label: a whole top level domain, or no name of a site. */
export const ONE_LABEL = 2
/** An address, or letters that only `nameForm` can read. */
export const OTHER_FORM = 3

const NAME_LENGTH_MAX = 253
const LABEL_LENGTH_MAX = 63

/** What stands in `text` from `from` up to `to`. The dot at the end of a whole name is not part of it. */
export function kindOfName(text: string, from: number, to: number): 0 | 1 | 2 | 3 {
  if (to - from < 1 || to - from > NAME_LENGTH_MAX * 4) return NOT_A_NAME
  let labelAt = from
  let labels = 1
  let digitsOnly = true
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      if (i === labelAt || i - labelAt > LABEL_LENGTH_MAX) return NOT_A_NAME
      labelAt = i + 1
      labels++
      digitsOnly = true
    } else if ((code | 32) >= 97 && (code | 32) <= 122) digitsOnly = false
    else if (code === 0x2d || code === 0x5f) digitsOnly = false
    else if (code > 127 || code === 0x3a || code === 0x5b) return OTHER_FORM
    else if (code < 48 || code > 57) return NOT_A_NAME
  }
  if (labelAt === to || to - labelAt > LABEL_LENGTH_MAX) return NOT_A_NAME
  if (digitsOnly) return OTHER_FORM
  if (to - from > NAME_LENGTH_MAX) return NOT_A_NAME
  return labels === 1 ? ONE_LABEL : PLAIN_NAME
}

/** An address in its one spelling, or an international name as A-labels (RFC 5891); "" = it is neither. */
export function otherForm(text: string): string {
  const address = normaliseIp(text)
  if (address !== null) return address
  if (!/[^\0-\x7f]/.test(text)) return ""
  const name = domainToASCII(text)
  return kindOfName(name, 0, name.length) === PLAIN_NAME ? name : ""
}

export function isAddress(text: string): boolean {
  return normaliseIp(text) !== null
}
