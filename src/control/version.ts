import { readFileSync } from "node:fs"
import { packageUrl } from "../base/index.ts"

const manifest = JSON.parse(readFileSync(new URL("package.json", packageUrl()), "utf8")) as { version: string }

/** Version of this program, from package.json. */
export const version: string = manifest.version
