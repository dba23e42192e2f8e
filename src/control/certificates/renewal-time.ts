import type { RenewalWindow } from "./acme/renewal-info.ts"
import type { StoredCertificate } from "./store/certificate-folder.ts"

/** When to renew, milliseconds since 1970 UTC: what the issuer wants, or at the share `at` of the life; never behind the end. */
export function renewalTime({ note, validFrom, validTo }: StoredCertificate, at: number): number {
  const own = validFrom + (validTo - validFrom) * at
  return note.renewAt > 0 ? Math.min(note.renewAt, validTo) : own
}

/** A moment within the window: the one that was chosen before, if it still lies there, else a random one (RFC 9773 section 4.2). */
export function momentWithin({ start, end }: RenewalWindow, before: number): number {
  return before >= start && before <= end ? before : start + Math.floor(Math.random() * (end - start))
}

/** Pause behind so many failures in a row: twice as long each time, and not the same for all names. */
export function retryPause(failures: number, { retryMin, retryMax }: { readonly retryMin: number; readonly retryMax: number }): number {
  const plain = Math.min(retryMin * 2 ** Math.min(failures - 1, 30), retryMax)
  return Math.round(plain * (0.9 + Math.random() * 0.2))
}
