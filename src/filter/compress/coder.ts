/** What a stream of node:zlib is made of, in both runtimes. The public calls are asynchronous, and a turn through the thread pool costs more than most bodies. */
interface Handle {
  writeSync(flag: number, input: Uint8Array, inputAt: number, inputBytes: number, output: Uint8Array, outputAt: number, outputBytes: number): void
  reset(): void
  close(): void
  onerror: (message: string, errno: number, code: string) => void
}

/** A stream of node:zlib as a coder needs it; `_writeState` says after a call how much room of the output, and how much of the input, is left. */
export interface CodingStream {
  readonly _handle: Handle
  readonly _writeState: Uint32Array
}

/** What a coding calls its three ways of writing. */
export interface Flags {
  readonly more: number
  readonly flush: number
  readonly end: number
}

const OUT_BYTES = 64 * 1024
const NOTHING = new Uint8Array(0)
/** Of this thread: what comes out of a call is copied from here before the next one. */
const out = Buffer.allocUnsafeSlow(OUT_BYTES)

/** Memory that outputs are cut from, one behind the other: fewer and larger pieces are less work for the collector. */
const SLAB_BYTES = 256 * 1024
const SLAB_PIECE_BYTES_MAX = 16 * 1024
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let slabAt = 0

/** A copy of the first octets of what came out. */
function copyOut(bytes: number): Buffer {
  if (bytes > SLAB_PIECE_BYTES_MAX) return Buffer.from(out.subarray(0, bytes))
  if (slabAt + bytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabAt = 0
  }
  const piece = slab.subarray(slabAt, slabAt + bytes)
  out.copy(piece, 0, 0, bytes)
  slabAt += bytes
  return piece
}

/** Encodes or decodes one body, piece by piece, without leaving the thread. */
export class Coder {
  private readonly stream: CodingStream
  private readonly flags: Flags
  /** Why it can go no further, in the words of the runtime; "" = it can. */
  failure = ""
  /** Octets of the last input that it did not take, because its coding has ended. */
  left = 0
  private isClosed = false

  constructor(stream: CodingStream, flags: Flags) {
    this.stream = stream
    this.flags = flags
    stream._handle.onerror = (message, _errno, code) => {
      this.failure = `${code}: ${message}`
    }
  }

  /** null = it cannot be coded, or is more than `bytesMax` octets. */
  more(input: Uint8Array, bytesMax = Number.POSITIVE_INFINITY): Uint8Array | null {
    return input.length === 0 ? NOTHING : this.run(this.flags.more, input, bytesMax)
  }

  /** All that has been given so far comes out. */
  flush(input: Uint8Array = NOTHING): Uint8Array | null {
    return this.run(this.flags.flush, input, Number.POSITIVE_INFINITY)
  }

  end(input: Uint8Array = NOTHING, bytesMax = Number.POSITIVE_INFINITY): Uint8Array | null {
    return this.run(this.flags.end, input, bytesMax)
  }

  private run(flag: number, input: Uint8Array, bytesMax: number): Uint8Array | null {
    if (this.isClosed || this.failure !== "") return null
    const { _handle: handle, _writeState: state } = this.stream
    let parts: Buffer[] | null = null
    let bytes = 0
    let at = 0
    for (;;) {
      handle.writeSync(flag, input, at, input.length - at, out, 0, OUT_BYTES)
      if (this.failure !== "") return null
      const made = OUT_BYTES - state[0]!
      at = input.length - state[1]!
      this.left = state[1]!
      bytes += made
      if (bytes > bytesMax) {
        this.failure = TOO_MUCH
        return null
      }
      const piece = made === 0 ? null : copyOut(made)
      // Room that is left means that nothing waits.
      if (state[0]! > 0) {
        if (parts === null) return piece ?? NOTHING
        if (piece !== null) parts.push(piece)
        return Buffer.concat(parts, bytes)
      }
      parts ??= []
      parts.push(piece!)
    }
  }

  get hasOverflowed(): boolean {
    return this.failure === TOO_MUCH
  }

  /** For another body. */
  reset(): void {
    this.stream._handle.reset()
    this.left = 0
  }

  /** Frees its memory; for whoever does not call it the collector does, later. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.stream._handle.close()
  }
}

const TOO_MUCH = "more than is allowed"
