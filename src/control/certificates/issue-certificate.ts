import type { KeyKind } from "../../net/index.ts"
import { keyPem, makeKey } from "../../net/index.ts"
import { AcmeProblem } from "./acme/acme-problem.ts"
import type { Issuer } from "./issuers/issuer.ts"

export interface Issued {
  readonly issuer: Issuer
  /** PEM. */
  readonly key: string
  readonly chain: string
}

/** No issuer gave a certificate. */
export class IssueFailed extends Error {
  override name = "IssueFailed"
}

/** Issuers that want to be left alone, for one name: until when, by their id. */
export type Blocked = Map<string, number>

const BLOCKED_MS_MAX = 7 * 86_400_000

/** Asks one issuer behind the other. `replaces`: the certificate that is renewed, and its issuer's id. Rejects with IssueFailed. */
export async function issueCertificate(
  name: string,
  issuers: readonly Issuer[],
  { keyKind, replaces, blocked }: { keyKind: KeyKind; replaces: { readonly pem: string; readonly issuer: string } | null; blocked: Blocked },
): Promise<Issued> {
  const failures: string[] = []
  const key = makeKey(keyKind)
  for (const issuer of issuers) {
    const until = blocked.get(issuer.id) ?? 0
    if (until > Date.now()) {
      failures.push(`${issuer.name}: it wants to be left alone until ${new Date(until).toISOString()}`)
      continue
    }
    try {
      const chain = await issuer.issue({ name, key, replaces: replaces?.issuer === issuer.id ? replaces.pem : "" })
      blocked.delete(issuer.id)
      return { issuer, key: keyPem(key), chain }
    } catch (error) {
      failures.push(`${issuer.name}: ${(error as Error).message}`)
      const pause = error instanceof AcmeProblem ? Math.min(error.retryAfterMs, BLOCKED_MS_MAX) : 0
      if (pause > 0) blocked.set(issuer.id, Date.now() + pause)
    }
  }
  throw new IssueFailed(failures.join("; "))
}
