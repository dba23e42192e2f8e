import { describe, expect, test } from "bun:test"
import { parseTemplate, TemplateError } from "./template.ts"

const words = { plain: ["client", "status", "host"], withArgument: ["request"] }

describe("parseTemplate", () => {
  test("splits text and variables", () => {
    expect(parseTemplate("$client asks ${host}s for ${request:x-id}!", words)).toEqual([
      { word: "client", argument: "" },
      " asks ",
      { word: "host", argument: "" },
      "s for ",
      { word: "request", argument: "x-id" },
      "!",
    ])
  })

  test("text without variables is one part, nothing is none", () => {
    expect(parseTemplate("plain", words)).toEqual(["plain"])
    expect(parseTemplate("", words)).toEqual([])
  })

  test("two dollar signs are one, and join the text around", () => {
    expect(parseTemplate("costs $$5, $$client", words)).toEqual(["costs $5, $client"])
  })

  test.each([
    ["$statsu", "did you mean $status? Valid are $client, $status, $host, ${request:name}"],
    ["$CLIENT", "did you mean $client?"],
    ["$frobnicate", "unknown variable $frobnicate; valid are $client, $status, $host, ${request:name}"],
    ["a $ b", "at character 3"],
    ["5$", "a dollar sign alone is written $$"],
    ["${client", "at character 1"],
    ["${}", "at character 1"],
    ["$request", "expected ${request:name}"],
    ["${request:}", "expected ${request:name}"],
    ["${host:a}", "takes no name"],
  ])("refuses %s", (text, message) => {
    expect(() => parseTemplate(text, words)).toThrow(TemplateError)
    expect(() => parseTemplate(text, words)).toThrow(message)
  })
})
