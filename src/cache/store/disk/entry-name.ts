import { hash } from "node:crypto"

/** Where the entries are, below the store's folder. */
export const ENTRIES = "entries"
/** Where entries are written until they are whole. */
export const TEMPORARY = "temp"

/**
 * The name of an entry's file: 128 bits of SHA-256 of its key, 32 hexadecimal digits. Nothing that a client chose ever stands in a path.
 * Nobody can make two keys with one name; the file names its key all the same, and is checked against it.
 */
export function nameOf(keyText: string): string {
  return hash("sha256", keyText, "hex").slice(0, 32)
}

const namePattern = /^[0-9a-f]{32}$/

export function isName(text: string): boolean {
  return namePattern.test(text)
}

/** 16 folders of 256: few enough to look through, and 10 million files are 2,500 in each. */
export function folderOf(root: string, name: string): string {
  return `${root}/${ENTRIES}/${name[0]}/${name.slice(1, 3)}`
}

export function pathOf(root: string, name: string): string {
  return `${folderOf(root, name)}/${name}`
}

export function temporaryPathOf(root: string, ticket: number): string {
  return `${root}/${TEMPORARY}/${ticket}`
}
