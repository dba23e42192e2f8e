import { expect, test } from "bun:test"
import { NO_REQUEST_DIRECTIVES, parseRequestDirectives } from "./cache-control.ts"
import { NOW } from "./response-of.fixture.ts"
import {
  ageSeconds,
  currentAgeMs,
  FRESH,
  judgeReuse,
  mayServeOnError,
  REVALIDATE,
  type ReuseVerdict,
  STALE_OK,
  STALE_WHILE_REVALIDATE,
  type StoredTimes,
  ttlSeconds,
} from "./reuse.ts"

const words = { [FRESH]: "fresh", [STALE_OK]: "stale-ok", [STALE_WHILE_REVALIDATE]: "while", [REVALIDATE]: "revalidate" } as const

/** 100 s of lifetime, 10 s old when it came. */
const plain: StoredTimes = {
  responseMs: NOW,
  initialAgeMs: 10_000,
  lifetimeMs: 100_000,
  swrMs: 0,
  sieMs: 0,
  mustRevalidate: false,
  noCache: false,
  immutable: false,
  marked: false,
}

/** Seconds after it came. */
function judge(changes: Partial<StoredTimes>, seconds: number, request = ""): string {
  const verdict: ReuseVerdict = judgeReuse({ ...plain, ...changes }, parseRequestDirectives(request, ""), NOW + seconds * 1000)
  return words[verdict]
}

test("fresh until the age reaches the lifetime (section 4.2)", () => {
  expect(judge({}, 0)).toBe("fresh")
  expect(judge({}, 89.999)).toBe("fresh")
  expect(judge({}, 90)).toBe("revalidate")
  expect(judge({ initialAgeMs: 100_000 }, 0)).toBe("revalidate")
  expect(judge({ lifetimeMs: 0, initialAgeMs: 0 }, 0)).toBe("revalidate")
  expect(judge({}, -3600)).toBe("fresh")
})

test("what needs validation is never used without (section 4)", () => {
  expect(judge({ noCache: true, swrMs: 1e6 }, 0, "max-stale")).toBe("revalidate")
  expect(judge({}, 0, "no-cache")).toBe("revalidate")
  expect(judge({ immutable: true }, 0, "no-cache")).toBe("revalidate")
})

test("max-age and min-fresh of a client (section 5.2.1)", () => {
  expect(judge({}, 5, "max-age=15")).toBe("fresh")
  expect(judge({}, 5.001, "max-age=15")).toBe("revalidate")
  expect(judge({}, 0, "max-age=0")).toBe("revalidate")
  expect(judge({}, 0, "min-fresh=90")).toBe("fresh")
  expect(judge({}, 0, "min-fresh=91")).toBe("revalidate")
})

test("an immutable response is not asked about while it is fresh (RFC 8246)", () => {
  expect(judge({ immutable: true }, 0, "max-age=0")).toBe("fresh")
  expect(judge({ immutable: true }, 90, "max-age=0")).toBe("revalidate")
  expect(judge({ immutable: true }, 0, "min-fresh=91")).toBe("revalidate")
})

test("max-stale of a client, where nothing forbids it (section 5.2.1.2)", () => {
  expect(judge({}, 100, "max-stale")).toBe("stale-ok")
  expect(judge({}, 100, "max-stale=10")).toBe("stale-ok")
  expect(judge({}, 100.001, "max-stale=10")).toBe("revalidate")
  expect(judge({ mustRevalidate: true }, 100, "max-stale")).toBe("revalidate")
  expect(judge({ marked: true }, 0, "max-stale")).toBe("revalidate")
  expect(judge({}, 100, "max-stale, max-age=20")).toBe("revalidate")
  expect(judge({}, 100, "max-stale, max-age=200")).toBe("stale-ok")
  expect(judge({}, 100, "max-stale, min-fresh=1")).toBe("revalidate")
})

test("stale while it is revalidated (RFC 5861 section 3)", () => {
  const swr = { swrMs: 30_000 }
  expect(judge(swr, 89)).toBe("fresh")
  expect(judge(swr, 90)).toBe("while")
  expect(judge(swr, 119.999)).toBe("while")
  expect(judge(swr, 120)).toBe("revalidate")
  expect(judge(swr, 100, "max-stale=20")).toBe("stale-ok")
  for (const request of ["max-age=0", "max-age=500", "min-fresh=1", "no-cache"]) expect(judge(swr, 100, request)).toBe("revalidate")
})

test("a soft purge makes stale at once, not more", () => {
  expect(judge({ marked: true }, 0)).toBe("revalidate")
  expect(judge({ marked: true, swrMs: 30_000 }, 0)).toBe("while")
  expect(judge({ marked: true, swrMs: 30_000 }, 119)).toBe("while")
  expect(judge({ marked: true, swrMs: 30_000 }, 120)).toBe("revalidate")
})

test("Age and what is left", () => {
  const at = (seconds: number): number => NOW + seconds * 1000
  expect(ageSeconds(plain, at(0))).toBe(10)
  expect(ageSeconds(plain, at(5.9))).toBe(15)
  expect(ageSeconds(plain, at(-5))).toBe(10)
  expect(ageSeconds({ ...plain, initialAgeMs: 2147483648_000 }, at(99))).toBe(2147483648)
  expect(currentAgeMs(plain, at(1.5))).toBe(11_500)
  expect(ttlSeconds(plain, at(0))).toBe(90)
  expect(ttlSeconds(plain, at(89.5))).toBe(0)
  expect(ttlSeconds(plain, at(100.5))).toBe(-11)
  expect(ttlSeconds({ ...plain, marked: true }, at(0))).toBe(0)
  expect(ttlSeconds({ ...plain, marked: true }, at(95))).toBe(-5)
})

test("instead of an error (RFC 5861 section 4, section 4.2.4)", () => {
  const may = (changes: Partial<StoredTimes>, seconds: number, request = ""): boolean =>
    mayServeOnError({ ...plain, ...changes }, parseRequestDirectives(request, ""), NOW + seconds * 1000)
  const sie = { sieMs: 60_000 }
  expect(may({}, 90)).toBe(false)
  expect(may(sie, 90)).toBe(true)
  expect(may(sie, 149.999)).toBe(true)
  expect(may(sie, 150)).toBe(false)
  expect(may({}, 100, "stale-if-error=60")).toBe(true)
  expect(may({}, 150, "stale-if-error=60")).toBe(false)
  expect(may({ mustRevalidate: true }, 100, "stale-if-error=60")).toBe(false)
  expect(may({ ...sie, mustRevalidate: true }, 100)).toBe(false)
  expect(may({ ...sie, noCache: true }, 0)).toBe(false)
  expect(may(sie, 100, "no-cache")).toBe(false)
  expect(may(sie, 100, "max-age=0")).toBe(true)
  // Fresh, and asked about because the client wished it.
  expect(may({}, 0, "max-age=0")).toBe(true)
  expect(may({ mustRevalidate: true }, 0)).toBe(true)
  expect(may({ marked: true }, 0)).toBe(false)
  expect(may({ ...sie, marked: true }, 0)).toBe(true)
  expect(mayServeOnError({ ...plain, ...sie }, NO_REQUEST_DIRECTIVES, NOW + 100_000)).toBe(true)
})
