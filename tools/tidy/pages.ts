import { rooms } from "./rooms.ts"
import type { Finding } from "./source.ts"

const readmeLinesMax = 40

/** READMEs of rooms and features: there, short, and a room's begins with its invariant. `files` holds every tracked file. */
export function checkPages(files: ReadonlyMap<string, string>): Finding[] {
  const found: Finding[] = []
  for (const [room, { invariant }] of Object.entries(rooms)) {
    const path = `src/${room}/README.md`
    const text = files.get(path)
    if (text === undefined) found.push({ path, line: 1, rule: "readme", message: "every room has a README" })
    else if (!opening(text).includes(invariant.toLowerCase())) {
      found.push({ path, line: 1, rule: "readme", message: `title or first line state the room's invariant: "${invariant}"` })
    }
  }
  for (const [path, text] of files) {
    if (/^src\/.*\/README\.md$/.test(path) && text.trimEnd().split("\n").length >= readmeLinesMax) {
      found.push({ path, line: readmeLinesMax, rule: "readme", message: `a README below src stays under ${readmeLinesMax} lines` })
    }
    if (isFeature(path, text)) checkFeature(path, files, found)
  }
  return found
}

/** The title and the first line below it. */
function opening(text: string): string {
  const lines = text.split("\n").filter(line => line !== "")
  return lines.slice(0, 2).join(" ").toLowerCase()
}

/** `x/x.ts` with a default export: one plug-in in its own folder. */
function isFeature(path: string, text: string): boolean {
  const match = /^src\/.*\/([^/]+)\/([^/]+)\.ts$/.exec(path)
  return match !== null && match[1] === match[2] && /^export default\b/m.test(text)
}

function checkFeature(path: string, files: ReadonlyMap<string, string>, found: Finding[]): void {
  const folder = path.slice(0, path.lastIndexOf("/") + 1)
  if (!files.has(`${folder}README.md`)) found.push({ path, line: 1, rule: "feature", message: "a feature folder has a README.md" })
  const tested = [...files.keys()].some(name => name.startsWith(folder) && name.endsWith(".test.ts"))
  if (!tested) found.push({ path, line: 1, rule: "feature", message: "a feature folder has its tests beside the code" })
}

// A machine's own paths and download addresses mean nothing elsewhere.
const buildPath = /\/(?:work|farm)\//g
const downloadAddress = /"resolved": "http/g

/** `hosts`: names of registries that this machine installs from. */
export function checkLeaks(path: string, text: string, hosts: readonly string[]): Finding[] {
  const found: Finding[] = []
  const report = (at: number, message: string): void => void found.push({ path, line: text.slice(0, at).split("\n").length, rule: "leak", message })
  for (const match of text.matchAll(buildPath)) report(match.index, "a path of the build machine")
  if (path === "package-lock.json") for (const match of text.matchAll(downloadAddress)) report(match.index, "a download address in the lock file")
  for (const host of hosts) {
    const at = text.indexOf(host)
    if (at >= 0) report(at, "the host of a package registry")
  }
  return found
}
