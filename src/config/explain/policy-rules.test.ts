import { describe, expect, test } from "bun:test"
import { ask, configOf } from "./ask.fixture.ts"

const school = configOf(`
listeners:
  egress: { bind: "127.0.0.1:3128", forward: { auth: { htpasswd: users } } }
filters:
  - policy:
      rules:
        - { name: teachers, match: { group: teachers }, action: allow }
        - { name: lessons, match: { host: "*.games.test", time: { days: mon-fri, from: "08:00", to: "13:00", zone: UTC } }, action: block }
        - { name: films, response: { type: video/* }, action: block }
  - quota: { bytes: 1GB, timeZone: UTC }
routes: [ { to: { origin: {} } } ]
`)
const thursday = Date.parse("2026-11-26T10:00:00Z")

async function linesOf(name: string, request: Parameters<typeof ask>[1]): Promise<readonly string[]> {
  const { filters } = await ask(school, { method: "CONNECT", url: "chess.games.test:443", ...request })
  return filters.find(filter => filter.name === name && filter.because !== undefined)?.because ?? []
}

describe("rules of a policy", () => {
  test("each says why it holds or not, at the time and for the user that is asked about", async () => {
    expect(await linesOf("policy", { user: "ann", groups: ["pupils"], at: thursday })).toEqual([
      "1 teachers: no, the user is in pupils, not in teachers",
      "2 lessons: yes (host and time): block",
      "1 more not asked",
    ])
    expect(await linesOf("policy", { user: "ann", groups: ["pupils"], at: thursday + 4 * 3_600_000 })).toEqual([
      "1 teachers: no, the user is in pupils, not in teachers",
      "2 lessons: no, it is Thu 2026-11-26 14:00 in UTC, not mon-fri 08:00-13:00",
      "3 films: yes (always), but it is about answers, which a tunnel hides",
      "no rule decides before the answer: allowed",
    ])
    expect(await linesOf("policy", { user: "eve", groups: ["teachers"], at: thursday })).toEqual([
      "1 teachers: yes (group): allow",
      "2 more not asked",
    ])
  })

  test("the answer is the policy's, and the log-in counts as right", async () => {
    const { answer, identity } = await ask(school, { method: "CONNECT", url: "chess.games.test:443", user: "ann", at: thursday })
    expect([answer.kind, identity?.user, identity?.assumed]).toEqual(["fault", "ann", true])
    expect(answer).toMatchObject({ code: "proxy.blocked", status: 403 })
  })

  test("without --user somebody has to log in", async () => {
    const { answer } = await ask(school, { method: "CONNECT", url: "chess.games.test:443", at: thursday })
    expect(answer).toMatchObject({ kind: "fault", status: 407 })
  })

  test("a quota says how much it is", async () => {
    expect(await linesOf("quota", { user: "ann", at: thursday + 4 * 3_600_000 })).toEqual([
      "ann may use 1GB until 2026-11-27 00:00 (UTC); what is used now shows `bothways quotas`",
    ])
  })
})
