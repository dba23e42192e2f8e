import { expect, test } from "bun:test"
import { NAME_TREE, NameSetBuilder } from "../../base/index.ts"
import { type Config, parseConfig } from "../../config/index.ts"
import { listKey, type SharedList } from "./shared-list.ts"
import { WorkerLists } from "./worker-lists.ts"

async function configOf(lists: object): Promise<Config> {
  const text = { lists, listeners: { web: { bind: "127.0.0.1:8080" } }, routes: [{ to: { respond: {} } }] }
  const result = await parseConfig(JSON.stringify(text))
  if (!result.ok) throw new Error(result.problems[0]!.message)
  return result.config
}

const config = await configOf({ ads: { names: ["written.test"], category: "ads" } })
const key = listKey("ads", config.lists["ads"]!)

function version(number: number, name: string, of = key): SharedList {
  const builder = new NameSetBuilder()
  builder.add(name, 0, name.length, NAME_TREE)
  return { key: of, version: number, memory: builder.build() }
}

test("a handle stays while the names behind it are replaced, and versions never go back", () => {
  const lists = new WorkerLists()
  lists.take([version(3, "three.test")], true)
  const list = lists.of(config).get("ads")
  expect([list.has("a.three.test"), list.category]).toEqual([true, "ads"])
  lists.take([version(4, "four.test")], false)
  expect([list.has("three.test"), list.has("four.test")]).toEqual([false, true])
  lists.take([version(3, "three.test")], true)
  expect([list.has("three.test"), list.has("four.test")]).toEqual([false, true])
  // Another snapshot of the same config has the same list.
  expect(lists.of(config).get("ads")).toBe(list)
})

test("another definition is another list, and what no config has is forgotten", async () => {
  const lists = new WorkerLists()
  lists.take([version(1, "one.test")], true)
  const former = lists.of(config).get("ads")
  const other = await configOf({ ads: { names: ["written.test"], category: "tracking" } })
  const otherKey = listKey("ads", other.lists["ads"]!)
  expect(otherKey).not.toBe(key)
  lists.take([version(1, "one.test"), version(1, "two.test", otherKey)], true)
  expect([lists.of(other).get("ads").has("two.test"), former.has("one.test")]).toEqual([true, true])
  lists.take([version(1, "two.test", otherKey)], true)
  // It lives on where it is still in use.
  expect(former.has("one.test")).toBe(true)
  expect(lists.of(config).get("ads")).not.toBe(former)
})

test("a list that nobody gave is read here", () => {
  expect(new WorkerLists().of(config).get("ads").has("a.written.test")).toBe(true)
})
