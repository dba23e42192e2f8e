import type { Fields } from "../../http/index.ts"
import type { MemoryEntry } from "../store/contract.ts"
import { Key } from "../store/key.ts"
import type { StoredResponse } from "../stored.ts"
import type { Coding } from "./coding.ts"
import { encodedFields, identityFields } from "./encoded-fields.ts"

/** Nothing is known in this thread; look, but not before `retryAtMs`. */
export const UNKNOWN = 0
/** It is in the store. */
export const READY = 1
/** It would not be smaller. */
export const USELESS = 2

/** What a thread knows of one coding of one entry. */
export class EncodedState {
  readonly coding: Coding
  readonly key: Key
  state: 0 | 1 | 2 = UNKNOWN
  /** Where it is, when it is ready. */
  place = 0
  generation = 0
  /** Milliseconds of the wall clock. */
  retryAtMs = 0
  private fieldsMade: Fields | null = null
  private of: StoredResponse | null = null

  /** `original`: the key of the entry. */
  constructor(original: Key, coding: Coding) {
    this.coding = coding
    this.key = encodedKey(original, coding)
  }

  /** There it is. */
  take(entry: MemoryEntry): void {
    this.place = entry.place
    this.generation = entry.generation
    // An empty one says that it was tried.
    this.state = entry.bodyLength > 0 ? READY : USELESS
  }

  /** What goes out with it. */
  fields(stored: StoredResponse): Fields {
    if (this.fieldsMade !== null && this.of === stored) return this.fieldsMade
    this.of = stored
    return (this.fieldsMade = encodedFields(stored, this.coding))
  }
}

/** What a thread knows of an entry that may be encoded, or (`states` null) of one that may not. */
export class EncodedNote {
  readonly generation: number
  readonly stored: StoredResponse
  /** Of the entry. */
  readonly key: Key | null
  states: readonly EncodedState[] | null
  /** Of its body, "" = not taken yet. */
  digest = ""
  private identityMade: Fields | null = null

  /** `key` null: it may not. */
  constructor(generation: number, stored: StoredResponse, key: Key | null, codings: readonly Coding[]) {
    this.generation = generation
    this.stored = stored
    this.key = key
    this.states = key === null ? null : codings.map(coding => new EncodedState(key, coding))
  }

  /** What was known of the same entry when its response was read before. */
  inherit(former: EncodedNote): void {
    if (this.states === null || former.states === null || former.generation !== this.generation) return
    this.states = former.states
    this.digest = former.digest
  }

  /** The response's fields, when it might have been encoded and is not. */
  get identity(): Fields {
    return (this.identityMade ??= identityFields(this.stored))
  }
}

/**
 * Where an encoded body is stored: beside the original, in its group, so that what removes that removes it, too. No name of a field begins with "=", so that no variant has
 * such a key.
 */
export function encodedKey(original: Key, coding: Coding): Key {
  return new Key(original.group, `${original.text.substring(original.group.length)}\0=${coding}`)
}
