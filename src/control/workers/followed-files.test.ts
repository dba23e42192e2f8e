import { expect, test } from "bun:test"
import type { FollowedFile } from "../protocol.ts"
import { FollowedFiles } from "./followed-files.ts"

const file = (name: string, writtenAt: number, stale = false): FollowedFile => ({ file: name, writtenAt, validTo: writtenAt * 10, stale })

test("each file once: the oldest version in force, stale when it is so anywhere", () => {
  const files = new FollowedFiles()
  files.take(2, [file("a", 5), file("b", 1, true)])
  files.take(0, [file("a", 3), file("b", 2)])
  expect(files.all).toEqual([file("a", 3), file("b", 1, true)])
})

test("what a worker says replaces what it said", () => {
  const files = new FollowedFiles()
  files.take(0, [file("a", 1, true), file("gone", 1)])
  files.take(1, [file("a", 2)])
  files.take(0, [file("a", 2)])
  expect(files.all).toEqual([file("a", 2)])
})
