// Runs the suite once, prints what came of each test as one line of JSON: { "<id>": true | [<kind of failure>, <why>] }.
// Arguments: folder of the suite, folder of its engine, base URL, forward proxy as host:port or "", ids of tests or none for all.
import { join } from "node:path"
import { makeFetch } from "./suite-fetch.mjs"

const [root, engine, base, proxy, ...ids] = process.argv.slice(2)
const groups = (await import(join(root, "tests/index.mjs"))).default
const { runTests, getResults } = await import(join(engine, "client/runner.mjs"))

const chosen = ids.length === 0 ? groups : groups.map(group => ({ ...group, tests: group.tests.filter(test => ids.includes(test.id)) }))
const fetch = makeFetch(proxy || null)
// The engine stands beside the tests in the older layout, whose runner is handed the function; the newer one takes the global.
globalThis.fetch = fetch
const say = console.log
console.log = console.error
await (engine === root ? runTests(chosen, fetch, false, base) : runTests(chosen, false, base))
say(JSON.stringify(getResults()))
process.exit(0)
