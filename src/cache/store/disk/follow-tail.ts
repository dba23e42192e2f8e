import type { CacheKey } from "../contract.ts"
import { type DiskTail, TAIL_FAILED, TAIL_GROWING, TAIL_WHOLE } from "./disk-contract.ts"
import type { DiskLink } from "./disk-link.ts"
import { nameOf, pathOf, temporaryPathOf } from "./entry-name.ts"
import { bodyStart, bodyStartOf, decodeHeader, decodeSlots, type EntryFacts, FIXED, storedBytes } from "./file-layout.ts"
import { NOT_CREATED } from "./shared-state.ts"
import { readWritten } from "./writer-tail.ts"

/** Between two looks at a writer in another thread. */
const LOOK_MS = 5
const nothing = new Uint8Array(0)

/** Opens a tail on the writer of another thread. null = it is over. */
export async function followWriter(link: DiskLink, key: CacheKey, ticket: number): Promise<DiskTail | null> {
  const places = link.settings.workersMax * link.settings.writersMax
  const place = ticket % places
  const generation = Math.floor(ticket / places)
  const version = link.shared.progressVersion(place)
  let state = link.shared.progress(place, generation)
  while (state === NOT_CREATED) {
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    state = link.shared.progress(place, generation)
  }
  if (state < 0 || state === TAIL_FAILED) return null
  const { path } = link.settings
  return (
    (await openTail(link, temporaryPathOf(path, ticket), { place, generation, version })) ??
    openTail(link, pathOf(path, nameOf(key.text)), { place, generation, version })
  )
}

interface FollowedWriter {
  readonly place: number
  readonly generation: number
  readonly version: number
}

async function openTail(link: DiskLink, path: string, writer: FollowedWriter): Promise<FollowTail | null> {
  let fd = -1
  try {
    fd = await link.files.open(path)
    const tail = await readTail(link, fd, writer)
    if (tail === null) link.files.close(fd)
    return tail
  } catch {
    // It was renamed or removed meanwhile; whoever writes reports what is wrong with the disk.
    if (fd >= 0) link.files.close(fd)
    return null
  }
}

async function readTail(link: DiskLink, fd: number, writer: FollowedWriter): Promise<FollowTail | null> {
  const fixed = Buffer.alloc(FIXED)
  if ((await link.files.read(fd, fixed, 0)) < FIXED) return null
  const start = bodyStartOf(fixed)
  if (start < 0) return null
  const octets = Buffer.allocUnsafeSlow(start)
  if ((await link.files.read(fd, octets, 0)) < start) return null
  const facts = decodeHeader(octets)
  const slot = facts === null ? null : decodeSlots(facts, octets)
  return facts === null || slot === null || facts.version !== writer.version ? null : new FollowTail(link, fd, writer, { facts, head: slot.head })
}

/** Reads along with a writer of another thread: through a file of its own, and the writer's progress in shared memory. */
class FollowTail implements DiskTail {
  readonly head: Uint8Array
  bodyLength: number
  written = 0
  state: 0 | 1 | 2 = TAIL_GROWING
  private readonly link: DiskLink
  private readonly fd: number
  private readonly writer: FollowedWriter
  private readonly start: number
  private readonly watchers = new Set<() => void>()
  private timer: ReturnType<typeof setTimeout> | null = null
  private busy = false
  private over = false

  constructor(link: DiskLink, fd: number, writer: FollowedWriter, content: { facts: EntryFacts; head: Uint8Array }) {
    this.link = link
    this.fd = fd
    this.writer = writer
    this.head = content.head
    this.bodyLength = content.facts.bodyLength
    this.start = bodyStart(content.facts)
    this.lookOnce()
  }

  async read(at: number, max: number): Promise<Uint8Array | null> {
    if (this.over || this.busy) return null
    const length = Math.min(max, this.written - at)
    if (length <= 0) return nothing
    this.busy = true
    const octets = await readWritten(this.link.files, this.fd, { start: this.start, at, length })
    this.busy = false
    if (this.over) this.link.files.close(this.fd)
    return octets
  }

  watch(changed: () => void): void {
    this.watchers.add(changed)
    this.timer ??= setTimeout(this.look, LOOK_MS)
  }

  unwatch(changed: () => void): void {
    this.watchers.delete(changed)
  }

  close(): void {
    if (this.over) return
    this.over = true
    this.watchers.clear()
    if (this.timer !== null) clearTimeout(this.timer)
    if (!this.busy) this.link.files.close(this.fd)
  }

  private readonly look = async (): Promise<void> => {
    this.timer = null
    const { written, state } = this
    if (!this.lookOnce()) await this.lookAtFile()
    if (this.over || this.watchers.size === 0) return
    if (written === this.written && state === this.state) {
      this.timer = setTimeout(this.look, LOOK_MS)
      return
    }
    const watchers = [...this.watchers]
    this.watchers.clear()
    for (const changed of watchers) changed()
  }

  /** False = its place is another writer's by now, and nobody knows how it ended. */
  private lookOnce(): boolean {
    if (this.state !== TAIL_GROWING) return true
    const { shared } = this.link
    const { place, generation } = this.writer
    const state = shared.progress(place, generation)
    // In this order: what was written when it ended is all there is.
    const written = shared.written(place)
    if (state < 0 || shared.progress(place, generation) < 0) return false
    this.written = written
    if (state === TAIL_WHOLE) this.bodyLength = written
    if (state === TAIL_WHOLE || state === TAIL_FAILED) this.state = state
    return true
  }

  /** A writer that came to its end left a whole file. */
  private async lookAtFile(): Promise<void> {
    const fixed = Buffer.alloc(this.start)
    try {
      const got = await this.link.files.read(this.fd, fixed, 0)
      const { size } = await this.link.files.stat(this.fd)
      const bodyLength = got < this.start ? -1 : (decodeHeader(fixed)?.bodyLength ?? -1)
      if (bodyLength >= 0 && size === this.start + storedBytes(bodyLength)) {
        this.bodyLength = bodyLength
        this.written = bodyLength
        this.state = TAIL_WHOLE
        return
      }
    } catch {
      // Then it is not whole either.
    }
    this.state = TAIL_FAILED
  }
}
