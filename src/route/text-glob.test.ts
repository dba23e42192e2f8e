import { expect, test } from "bun:test"
import { Random } from "../base/index.ts"
import { TextGlob } from "./text-glob.ts"

test("does what the plain definition does", () => {
  const random = new Random(7)
  const word = (letters: string, length: number): string =>
    Array.from({ length: random.below(length) }, () => letters[random.below(letters.length)]!).join("")
  let hits = 0
  for (let i = 0; i < 20_000; i++) {
    const glob = word("ab*", 7)
    const text = word("ab", 9)
    const wanted = defined(glob, text)
    hits += wanted ? 1 : 0
    if (new TextGlob(glob).test(text) !== wanted) throw new Error(`${glob} on ${text}: expected ${wanted}`)
  }
  expect(hits).toBeGreaterThan(2000)
})

function defined(glob: string, text: string): boolean {
  if (glob === "") return text === ""
  if (glob[0] === "*") return defined(glob.slice(1), text) || (text !== "" && defined(glob, text.slice(1)))
  return text !== "" && glob[0] === text[0] && defined(glob.slice(1), text.slice(1))
}

test("many stars on a long text take no time", () => {
  const glob = new TextGlob(`${"*a".repeat(40)}*b`)
  const text = "a".repeat(100_000)
  const before = performance.now()
  expect(glob.test(text)).toBe(false)
  expect(performance.now() - before).toBeLessThan(500)
})
