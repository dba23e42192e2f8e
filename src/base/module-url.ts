import { basename } from "node:path"

// Set by tools/build.ts in what it makes: there all modules lie in one folder, one file for each start of a thread.
declare const BOTHWAYS_BUNDLED: true | undefined

export const isBundled: boolean = typeof BOTHWAYS_BUNDLED !== "undefined"

/** Where the module lies that a thread starts with: `path` among the sources, or its file in the bundle. */
export function moduleUrl(path: string): URL {
  return isBundled ? new URL(`./${basename(path, ".ts")}.js`, import.meta.url) : new URL(`../${path}`, import.meta.url)
}

/** The folder of the package, with its package.json. Ends in a slash. */
export function packageUrl(): URL {
  return new URL(isBundled ? "../" : "../../", import.meta.url)
}
