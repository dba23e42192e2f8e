import { ensureLocalAuthority } from "../authority/local-authority.ts"
import type { Log } from "../../../base/index.ts"
import type { Issuer } from "./issuer.ts"

export const LOCAL = "local"

/** A leaf's life. It is renewed by us, so a short one costs nothing. */
const LEAF_MS = 7 * 86_400_000

/** A client that comes by address sends no name, and so sees one certificate, whichever address it was. */
const loopback = ["127.0.0.1", "::1"]

/** The authority of our own, made when it is first needed. Signs for every name, addresses among them. */
export function localIssuer(directory: string, log: Log): Issuer {
  return {
    name: LOCAL,
    id: LOCAL,
    suits: () => true,
    async issue({ name, key }) {
      const { authority, made } = ensureLocalAuthority(directory)
      if (made) log.info("a local authority was made; `bothways ca install` makes this machine trust it", { directory })
      return authority.issueLeaf({ names: loopback.includes(name) ? loopback : [name], key, lifeMs: LEAF_MS })
    },
    renewalWindow: () => Promise.resolve(null),
    close() {},
  }
}
