import { expect, test } from "bun:test"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseConfig } from "../load.ts"

function problems(text: string): string[] {
  const result = parseConfig(text, join(tmpdir(), "lists-check.yaml"))
  const found = result.ok ? result.warnings : result.problems
  return found.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

const listeners = 'listeners: { egress: { bind: "127.0.0.1:3128", forward: true } }'

test("unknown lists and categories, wherever a match stands, at their place and with the nearest word", () => {
  const text = `${listeners}
lists: { ads: { names: [a.test], category: advertising }, banks: [b.test] }
clusters: { a: { peers: ["127.0.0.1:1"] }, b: { peers: ["127.0.0.1:2"] } }
caches: { main: { memory: 16MB } }
routes:
  - match: { listener: egress, domain: { list: adz }, category: advertisng }
    to: { origin: {} }
  - match: { listener: egress, domain: [x.test, { list: [ads, bnks] }] }
    filters: [ { cache: { store: main, bypass: { domain: { list: baks } } } } ]
    to: { split: { arms: [ { cluster: a, weight: 1 }, { cluster: b, match: { category: [advertising, games] } } ] } }
`
  expect(problems(text)).toEqual([
    '6:48 there is no list "adz"; did you mean "ads"?',
    '6:65 there is no category "advertisng"; did you mean "advertising"?',
    '8:63 there is no list "bnks"; did you mean "banks"?',
    expect.stringMatching(/^9:.* there is no list "baks"; did you mean "banks"\?$/),
    expect.stringMatching(/^10:.* there is no category "games"; there are advertising$/),
  ])
})

test("categories of sites that are never opened", () => {
  const text = `listeners: { egress: { bind: "127.0.0.1:3128", forward: { inspect: { neverOpen: { categories: bank } } } } }
lists: { banks: { names: [b.test], category: banks } }
routes: [ { to: { origin: {} } } ]
`
  expect(problems(text).filter(problem => problem.includes("category"))).toEqual([
    expect.stringMatching(/^1:9\d there is no category "bank"; did you mean "banks"\?$/),
  ])
})

test("a list with a slip of its own is no unknown list", () => {
  const text = `${listeners}
lists: { ads: { names: [a.test], categori: ads }, banks: { files: none.txt }, dir: { files: ["."] } }
routes: [ { match: { listener: egress, domain: { list: ads } }, to: { origin: {} } } ]
`
  const found = problems(text).filter(problem => !problem.includes("categori"))
  expect(found).toEqual([
    expect.stringMatching(/^2:.*none.txt: there is no such file$/),
    expect.stringMatching(/^2:.* it is a directory, not a file$/),
  ])
})

test("without lists there is a word on that", () => {
  expect(problems(`${listeners}\nroutes: [ { match: { domain: { list: ads } }, to: { origin: {} } } ]\n`)).toEqual([
    expect.stringMatching(/there is no list "ads"; `lists` has none$/),
  ])
})

test("a list is files, names, or both, and each entry is a name", () => {
  const found = problems(
    `${listeners}\nlists: { a: {}, b: [com], c: { names: ["x y"] }, d: { files: x, format: rpz } }\nroutes: [ { to: { origin: {} } } ]\n`,
  )
  expect(found).toEqual([
    expect.stringMatching(/expected files or names/),
    expect.stringMatching(/one label; for a whole top level domain write ".com"/),
    expect.stringMatching(/"x y" is no name/),
    expect.stringMatching(/expected "auto", "plain", "hosts"/),
  ])
})
