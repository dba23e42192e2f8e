import type { SiblingCoding } from "./options.ts"

/** A form of a file's content: as it is, or compressed beside it. */
export interface FileForm {
  /** "" = as it is. */
  readonly coding: SiblingCoding | ""
  readonly path: string
  readonly size: number
  readonly modifiedMs: number
  /** Number of the file on its device: another file of the same name, size and time is another one. */
  readonly inode: number
  readonly tag: string
  /** Ready-made header lines, Content-Length and Date excepted. */
  readonly lines: string
  /** null = too large to be held. */
  readonly content: Buffer | null
}

/** What a name below the root stands for, as it was at `checkedAt`. */
export interface SiteFile {
  readonly kind: "file"
  readonly type: string
  readonly lastModified: string
  readonly plain: FileForm
  /** Compressed forms in the order of the options' codings; null where there is none. Empty where none are looked for. */
  readonly siblings: readonly (FileForm | null)[]
}

export interface SiteFolder {
  readonly kind: "folder"
  /** Name below the root, with a slash at its end. */
  readonly name: string
}

/** `missing`: there is nothing that may be served. */
export type Found = SiteFile | SiteFolder | { readonly kind: "missing" }

export const MISSING: Found = { kind: "missing" }

/** Octets that it holds. */
export function heldBytes(found: Found): number {
  if (found.kind !== "file") return 0
  let bytes = found.plain.content?.length ?? 0
  for (const form of found.siblings) bytes += form?.content?.length ?? 0
  return bytes
}
