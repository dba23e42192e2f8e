/** The fields of a head, parsed once. Text is latin1: `Name: value` CRLF for each line. */
export class FieldLines {
  /** Lower case. */
  readonly names: string[] = []
  readonly values: string[] = []
  /** With their CRLF, as they came. */
  readonly lines: string[] = []
  constructor(text: string) {
    this.lines.push(text)
  }
  /** The values of all lines of this name (lower case), joined; "" = absent. */
  get(name: string): string {
    return this.lines.join(name)
  }
  render(): string {
    return this.lines.join("")
  }
}
