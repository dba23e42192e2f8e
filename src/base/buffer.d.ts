// Latin1 access without a copy of options; the runtimes have it, their type packages do not.
interface Buffer {
  latin1Slice(start?: number, end?: number): string
  latin1Write(text: string, offset?: number, length?: number): number
}
