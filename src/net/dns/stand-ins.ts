import { assert, hashString, writeIp } from "../../base/index.ts"

/*
 * One SharedArrayBuffer, in 32-bit words:
 *
 *   0    head: names that gave their place up, names that got none
 *   16   groups of 8 places. A group begins with its lock; each place has 68 words: a count that is odd while the place is written, the second of its last use,
 *        the length of the name, and the name.
 *
 * A name lives in one of the two groups that its hashes name, and the number of its place is its address: the first of the range has number 0. The hash has no seed, so that a
 * name gets the same address again after a restart, as a rule.
 */
const GIVEN_UP = 0
const REFUSED = 1
const HEAD_WORDS = 16
const PLACES = 8
const PLACE_WORDS = 68
const USED_AT = 1
const LENGTH = 2
const NAME = 3
const GROUP_WORDS = 4 + PLACES * PLACE_WORDS
const NAME_OCTETS_MAX = 253
/** Whoever holds a lock for longer is dead: what is done under it takes microseconds. */
const PATIENCE_MS = 100
const READS_MAX = 16
const SECOND_SEED = 0x62770000

export interface StandInRange {
  /** Network, `198.18.0.0/15`. */
  readonly range: string
  /** The same for IPv6; null = none. */
  readonly ipv6: string | null
  readonly namesMax: number
  /** Milliseconds that clients may remember an address. */
  readonly ttl: number
}

/** Addresses that stand for names, over all workers. Threads share the memory; each has an object of its own. */
export class StandIns {
  readonly ttlSeconds: number
  private readonly words: Int32Array
  private readonly bytes: Uint8Array
  private readonly groups: number
  private readonly four: Network
  private readonly six: Network | null
  private readonly seconds: () => number

  /** Octets of the memory that it needs. */
  static bytes(options: StandInRange): number {
    return (HEAD_WORDS + groupsOf(options) * GROUP_WORDS) * 4
  }

  constructor(memory: SharedArrayBuffer, options: StandInRange, seconds: () => number = secondsNow) {
    assert(memory.byteLength === StandIns.bytes(options), "the memory is the one of these options")
    this.words = new Int32Array(memory)
    this.bytes = new Uint8Array(memory)
    this.groups = groupsOf(options)
    this.four = networkOf(options.range)
    this.six = options.ipv6 === null ? null : networkOf(options.ipv6)
    this.ttlSeconds = Math.ceil(options.ttl / 1000)
    this.seconds = seconds
  }

  get hasSix(): boolean {
    return this.six !== null
  }

  /** Names that have an address. */
  get known(): number {
    let count = 0
    for (let place = 0; place < this.groups * PLACES; place++) if (Atomics.load(this.words, placeAt(place) + LENGTH) > 0) count++
    return count
  }

  /** Names that gave their place up to others, and names that got none because all of their group were in use. */
  get givenUp(): number {
    return Atomics.load(this.words, GIVEN_UP)
  }

  get refused(): number {
    return Atomics.load(this.words, REFUSED)
  }

  /** The octets of the address that stands for a name from now on; null = every place that it could have is in use. `name` is a host name in lower case. */
  give(name: string, family: 4 | 6): Uint8Array | null {
    const place = this.placeFor(name)
    if (place < 0) return null
    return addressAt(family === 4 ? this.four : this.six!, place)
  }

  /** The name that an address stands for; "" = it is of the range, and no name is known; null = it stands for nothing. */
  nameOf(address: string): string | null {
    const place = this.placeOf(address)
    if (place === -1) return null
    if (place < 0 || place >= this.groups * PLACES) return ""
    const at = placeAt(place)
    const name = this.read(at)
    if (name !== "") Atomics.store(this.words, at + USED_AT, this.seconds())
    return name
  }

  /** -1 = of neither range, -2 = of a range, but no place. */
  private placeOf(address: string): number {
    const octets = writeIp(address, scratch, 0)
    const network = octets === 4 ? this.four : this.six
    if (octets === 0 || network === null || !isIn(network, octets)) return -1
    // Places differ in the last word alone.
    for (let i = 0; i < octets - 4; i++) if (scratch[i] !== network.octets[i]) return -2
    const number = lastWord(scratch, octets) - lastWord(network.octets, octets) - 1
    return number < 0 ? -2 : number
  }

  private placeFor(name: string): number {
    assert(name.length > 0 && name.length <= NAME_OCTETS_MAX, "a host name has 1 to 253 octets")
    const first = (hashString(name) >>> 0) % this.groups
    const second = (hashString(name, SECOND_SEED) >>> 0) % this.groups
    const now = this.seconds()
    const known = Math.max(this.find(first, name), this.find(second, name))
    if (known >= 0 && this.touch(known, now)) return known
    // Free places first, then those of names that no client can remember.
    for (const since of [-Infinity, now - this.ttlSeconds]) {
      for (const group of [first, second]) {
        const place = this.takeIn(group, name, now, since)
        if (place >= 0) return place
      }
    }
    Atomics.add(this.words, REFUSED, 1)
    return -1
  }

  private takeIn(group: number, name: string, now: number, since: number): number {
    this.lock(group)
    const place = this.findOrTake(group, name, now, since)
    Atomics.store(this.words, groupAt(group), 0)
    return place
  }

  private find(group: number, name: string): number {
    for (let i = 0; i < PLACES; i++) {
      const place = group * PLACES + i
      const at = placeAt(place)
      if (Atomics.load(this.words, at + LENGTH) === name.length && this.read(at) === name) return place
    }
    return -1
  }

  /** False = another name took the place just now. */
  private touch(place: number, now: number): boolean {
    const at = placeAt(place)
    const count = Atomics.load(this.words, at)
    Atomics.store(this.words, at + USED_AT, now)
    return (count & 1) === 0 && Atomics.load(this.words, at) === count
  }

  /** Under the lock: the place that has the name already, a free one, or the one that was used the longest ago if that was before `since`. */
  private findOrTake(group: number, name: string, now: number, since: number): number {
    const known = this.find(group, name)
    if (known >= 0) {
      Atomics.store(this.words, placeAt(known) + USED_AT, now)
      return known
    }
    let best = -1
    let oldest = since
    for (let i = 0; i < PLACES; i++) {
      const at = placeAt(group * PLACES + i)
      // Half-written by a thread that died, or never used.
      const isFree = (Atomics.load(this.words, at) & 1) === 1 || Atomics.load(this.words, at + LENGTH) === 0
      const usedAt = Atomics.load(this.words, at + USED_AT)
      if (isFree) return this.write(at, name, now, null) ? group * PLACES + i : -1
      if (usedAt >= oldest) continue
      best = group * PLACES + i
      oldest = usedAt
    }
    return best >= 0 && this.write(placeAt(best), name, now, oldest) ? best : -1
  }

  /** `usedAt`: when the name that gives its place up was used last. False = it has been used since. */
  private write(at: number, name: string, now: number, usedAt: number | null): boolean {
    const { words, bytes } = this
    const count = Atomics.load(words, at) | 1
    Atomics.store(words, at, count)
    // Whoever finds the name meanwhile says first that it is used, and then looks at the count.
    const isWanted = usedAt !== null && Atomics.load(words, at + USED_AT) !== usedAt
    if (!isWanted) {
      if (usedAt !== null) Atomics.add(words, GIVEN_UP, 1)
      Atomics.store(words, at + LENGTH, name.length)
      for (let i = 0; i < name.length; i++) bytes[(at + NAME) * 4 + i] = name.charCodeAt(i)
      Atomics.store(words, at + USED_AT, now)
    }
    Atomics.store(words, at, count + 1)
    return !isWanted
  }

  /** The name of a place, "" = none. A reader that meets a writer reads again. */
  private read(at: number): string {
    const { words, bytes } = this
    for (let i = 0; i < READS_MAX; i++) {
      const before = Atomics.load(words, at)
      const length = Atomics.load(words, at + LENGTH)
      if ((before & 1) === 1 || length < 0 || length > NAME_OCTETS_MAX) continue
      let name = ""
      for (let k = 0; k < length; k++) name += String.fromCharCode(bytes[(at + NAME) * 4 + k]!)
      if (Atomics.load(words, at) === before) return name
    }
    return ""
  }

  private lock(group: number): void {
    const at = groupAt(group)
    for (;;) {
      const mine = stampNow()
      const holder = Atomics.compareExchange(this.words, at, 0, mine)
      if (holder === 0) return
      const held = (mine - holder) & 0x7fffffff
      if (held > PATIENCE_MS && held < 0x3fffffff && Atomics.compareExchange(this.words, at, holder, mine) === holder) return
    }
  }
}

/** Of this decade and the next few: they have to fit 31 bits. */
function secondsNow(): number {
  return Math.floor(Date.now() / 1000) - 1_700_000_000
}

function stampNow(): number {
  return (Date.now() & 0x7fffffff) | 1
}

function groupAt(group: number): number {
  return HEAD_WORDS + group * GROUP_WORDS
}

function placeAt(place: number): number {
  return groupAt(Math.floor(place / PLACES)) + 4 + (place % PLACES) * PLACE_WORDS
}

interface Network {
  readonly octets: Uint8Array
  readonly bits: number
}

const scratch = new Uint8Array(16)

function networkOf(text: string): Network {
  const [address, bits] = text.split("/")
  const octets = new Uint8Array(16)
  const length = writeIp(address!, octets, 0)
  assert(length !== 0, "the config's networks are networks")
  const network = { octets: octets.slice(0, length), bits: Number(bits ?? length * 8) }
  for (let i = 0; i < length; i++) network.octets[i]! &= maskAt(network, i)
  return network
}

function isIn({ octets, bits }: Network, length: number): boolean {
  if (octets.length !== length) return false
  for (let i = 0; i < length; i++) if (((scratch[i]! ^ octets[i]!) & maskAt({ bits }, i)) !== 0) return false
  return true
}

/** The bits of an octet that belong to the network. */
function maskAt({ bits }: Pick<Network, "bits">, octet: number): number {
  const own = bits - octet * 8
  return own >= 8 ? 255 : own <= 0 ? 0 : (255 << (8 - own)) & 255
}

function lastWord(octets: Uint8Array, length: number): number {
  return ((octets[length - 4]! << 24) | (octets[length - 3]! << 16) | (octets[length - 2]! << 8) | octets[length - 1]!) >>> 0
}

/** The address of the network itself is nobody's. */
function addressAt({ octets }: Network, place: number): Uint8Array {
  const address = octets.slice()
  const word = (lastWord(octets, octets.length) + place + 1) >>> 0
  for (let i = 0; i < 4; i++) address[octets.length - 1 - i] = (word >>> (8 * i)) & 255
  return address
}

/** As many as are wanted, and as the smaller range has addresses, without its first and last. */
function groupsOf({ range, ipv6, namesMax }: StandInRange): number {
  const room = [range, ...(ipv6 === null ? [] : [ipv6])].map(text => {
    const { octets, bits } = networkOf(text)
    return 2 ** Math.min(30, octets.length * 8 - bits) - 2
  })
  return Math.max(1, Math.floor(Math.min(namesMax, ...room) / PLACES))
}
