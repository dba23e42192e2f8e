import { Random } from "../../base/index.ts"

/** Made-up requests that behave as those of web caches do. */
export interface TraceShape {
  readonly name: string
  readonly requests: number
  /** Different objects that are asked by popularity. */
  readonly objects: number
  /** Exponent of the popularity (Zipf): the object of rank r is asked in proportion to 1 / r^alpha. Web traces have 0.6 to 1.1. */
  readonly alpha: number
  /** Share of the requests that go to an object nobody asks for again. */
  readonly onceShare: number
  /** Requests from one change of popularity to the next, at each of which a new object takes a place; 0 = none. */
  readonly driftEvery?: number
  /** Share of the requests of something that walks through objects in a row, as crawlers and players do, and how many objects there are before it begins anew. */
  readonly walkShare?: number
  readonly walkObjects?: number
  /** Share of the requests that ask again for one of the last hundred: reloads, and visitors who come in crowds. */
  readonly burstShare?: number
}

export interface Trace {
  readonly name: string
  /** The number of the object that each request asks for. */
  readonly ids: Int32Array
  /** Octets of each object, by number. */
  readonly sizes: Float64Array
  /** Octets of all objects that were asked for. */
  readonly footprint: number
  /** How many these are, and the share of them that was asked for once. */
  readonly objects: number
  readonly askedOnce: number
}

// Bodies of web objects: log-normal, half of them under 8 KB, the mean about 40 KB; a few have many megabytes.
const MEDIAN_BYTES = 8192
const SIGMA = 1.8
const BYTES_MAX = 256 * 1024 ** 2
const BURST_WITHIN = 100

export function makeTrace(shape: TraceShape, seed: number): Trace {
  const random = new Random(seed)
  const ids = new Int32Array(shape.requests)
  const draw = zipf(shape.objects, shape.alpha, random)
  // who has the rank; ranks are dealt at random, so that a walk through the numbers meets popular and other objects alike
  const objectOf = shuffled(shape.objects, random)
  let fresh = shape.objects
  let walk = 0
  for (let i = 0; i < shape.requests; i++) {
    if (shape.driftEvery && i % shape.driftEvery === 0) objectOf[drifting(shape.objects, random)] = fresh++
    if (random.float() < (shape.burstShare ?? 0)) {
      ids[i] = ids[Math.max(0, i - 1 - random.below(BURST_WITHIN))]!
      continue
    }
    const dice = random.float()
    if (dice < shape.onceShare) ids[i] = fresh++
    else if (dice < shape.onceShare + (shape.walkShare ?? 0)) ids[i] = walk++ % shape.walkObjects!
    else ids[i] = objectOf[draw()]!
  }
  return { name: shape.name, ids, ...factsOf(ids, logNormal(fresh, random)) }
}

/** Numbers from 0 to `count` - 1, each in proportion to 1 / (number + 1)^alpha. */
function zipf(count: number, alpha: number, random: Random): () => number {
  const upTo = new Float64Array(count)
  let sum = 0
  for (let i = 0; i < count; i++) upTo[i] = sum += (i + 1) ** -alpha
  return () => {
    // Random has 32 bits: enough to tell a million ranks apart
    const wanted = random.float() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (upTo[middle]! <= wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A rank that changes hands: as often one of the first ten as one of the next ninety. */
function drifting(count: number, random: Random): number {
  return Math.min(count - 1, Math.floor(count ** random.float()) - 1)
}

function shuffled(count: number, random: Random): Int32Array {
  const all = Int32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const other = all[j]!
    all[j] = all[i]!
    all[i] = other
  }
  return all
}

function logNormal(count: number, random: Random): Float64Array {
  const sizes = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    // Box and Muller's way to the normal distribution
    const normal = Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())
    sizes[i] = Math.min(BYTES_MAX, Math.max(1, Math.round(MEDIAN_BYTES * Math.exp(SIGMA * normal))))
  }
  return sizes
}

function factsOf(ids: Int32Array, sizes: Float64Array): Omit<Trace, "name" | "ids"> {
  const asked = new Int32Array(sizes.length)
  for (const id of ids) asked[id]!++
  let footprint = 0
  let objects = 0
  let once = 0
  for (let id = 0; id < sizes.length; id++) {
    if (asked[id] === 0) continue
    objects++
    footprint += sizes[id]!
    if (asked[id] === 1) once++
  }
  return { sizes, footprint, objects, askedOnce: once / objects }
}
