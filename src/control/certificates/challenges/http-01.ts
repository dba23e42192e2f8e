import { rmSync } from "node:fs"
import { httpTokenPath } from "../../../config/index.ts"
import { writePrivate } from "../store/write-private.ts"
import type { Challenge } from "./challenge.ts"

/** RFC 8555 section 8.3. The proof is a file, which the plain listeners of every worker look for, and those of every instance that shares the folder. */
export function httpChallenge(folder: string): Challenge {
  return {
    type: "http-01",
    suits: name => !name.startsWith("*."),
    async present({ token, authorization }) {
      const path = httpTokenPath(folder, token)
      writePrivate(path, authorization)
      return async () => rmSync(path, { force: true })
    },
  }
}
