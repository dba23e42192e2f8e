import { isIP } from "node:net"
import { rmSync } from "node:fs"
import { acmeIdentifier, challengePath, selfSigned } from "../../../net/index.ts"
import { writePrivate } from "../store/write-private.ts"
import type { Challenge } from "./challenge.ts"

const LIFE_MS = 86_400_000

/** RFC 8737. `looked` settles when all workers have looked at the folder, and so choose certificates by protocol, too. */
export function tlsAlpnChallenge(folder: string, looked: () => Promise<void>): Challenge {
  return {
    type: "tls-alpn-01",
    // For an address the server name would be one under in-addr.arpa (RFC 8738 section 6), which nobody asks us for.
    suits: name => !name.startsWith("*.") && isIP(name) === 0,
    async present({ name, digest }) {
      const path = challengePath(folder, name)
      const { cert, key } = selfSigned([name], LIFE_MS, [acmeIdentifier(digest)])
      writePrivate(path, key + cert)
      await looked()
      return async () => {
        rmSync(path, { force: true })
        await looked()
      }
    },
  }
}
