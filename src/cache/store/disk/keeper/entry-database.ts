import { hash } from "node:crypto"
import { DatabaseSync, type StatementSync } from "node:sqlite"

/** One entry as the index knows it. */
export interface EntryRow {
  readonly id: number
  readonly name: string
  readonly key: string
  readonly groupLength: number
  /** Of its file, rounded up. */
  readonly bytes: number
  /** 0 = new, 1 = was used since (S3-FIFO's small and main queue). */
  readonly queue: 0 | 1
  readonly uses: number
  readonly labelled: boolean
}

export type NewRow = Omit<EntryRow, "id" | "uses" | "labelled"> & { readonly labels: readonly string[] }

const APPLICATION = 0x4257_4443
const FORM = 1
const USES_MAX = 3

const SCHEMA = `
  CREATE TABLE entries(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL, key BLOB NOT NULL, group_length INTEGER NOT NULL,
    group_hash INTEGER NOT NULL, bytes INTEGER NOT NULL, queue INTEGER NOT NULL, place INTEGER NOT NULL, uses INTEGER NOT NULL,
    labelled INTEGER NOT NULL, pending INTEGER NOT NULL);
  CREATE UNIQUE INDEX by_name ON entries(name);
  CREATE INDEX by_group ON entries(group_hash);
  CREATE INDEX by_place ON entries(queue, place);
  CREATE INDEX by_pending ON entries(pending) WHERE pending = 1;
  CREATE TABLE labels(label TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(label, id)) WITHOUT ROWID;
  CREATE INDEX labels_by_id ON labels(id);
  CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE rules(kind TEXT NOT NULL, text TEXT NOT NULL, mark INTEGER NOT NULL, PRIMARY KEY(kind, text, mark)) WITHOUT ROWID;
`

const COLUMNS = "id, name, key, group_length, bytes, queue, uses, labelled"

interface RawRow {
  readonly id: number
  readonly name: Uint8Array
  readonly key: Uint8Array
  readonly group_length: number
  readonly bytes: number
  readonly queue: 0 | 1
  readonly uses: number
  readonly labelled: number
}

/**
 * The index: which entries there are, what they take, and in which order they go. The files know everything about themselves, so that the index can be made anew
 * from them; it is never asked by a look-up. Written without waiting for the disk, since a sync may take seconds while bodies are being written: it survives the end of the
 * process; after the end of the machine see `isSound`.
 */
export class EntryDatabase {
  /** Made just now. */
  readonly fresh: boolean
  private readonly database: DatabaseSync
  private readonly statements = new Map<string, StatementSync>()
  private place = 0
  private inTransaction = false

  /** Throws when there is a file that is no index of ours, or a damaged or locked one. */
  constructor(path: string) {
    this.database = new DatabaseSync(path)
    try {
      this.database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384")
      this.fresh = this.prepare()
      this.place = (this.get("SELECT max(place) AS place FROM entries") as { place: number | null }).place ?? 0
    } catch (error) {
      this.database.close()
      throw error
    }
  }

  /** Whether rows and their indices fit together. Reads all of it. */
  isSound(): boolean {
    return (this.get("PRAGMA integrity_check(1)") as { integrity_check: string }).integrity_check === "ok"
  }

  private prepare(): boolean {
    const application = this.get("PRAGMA application_id") as { application_id: number }
    const form = this.get("PRAGMA user_version") as { user_version: number }
    if (application.application_id === APPLICATION && form.user_version === FORM) return false
    const { tables } = this.get("SELECT count(*) AS tables FROM sqlite_schema") as { tables: number }
    if (tables > 0 || application.application_id !== 0) throw new Error("it is not an index of this form")
    this.transact(() => this.database.exec(`${SCHEMA} PRAGMA application_id=${APPLICATION}; PRAGMA user_version=${FORM}`))
    return true
  }

  /** All of `act`, or nothing of it. Inside another one it is part of that. */
  transact<T>(act: () => T): T {
    if (this.inTransaction) return act()
    this.database.exec("BEGIN")
    this.inTransaction = true
    try {
      const result = act()
      this.database.exec("COMMIT")
      return result
    } catch (error) {
      try {
        this.database.exec("ROLLBACK")
      } catch {
        // Some faults have rolled back by themselves.
      }
      throw error
    } finally {
      this.inTransaction = false
    }
  }

  /** Entries and octets of the two queues. */
  totals(): { readonly entries: number; readonly bytes: readonly [number, number] } {
    const rows = this.all("SELECT queue, count(*) AS entries, sum(bytes) AS bytes FROM entries GROUP BY queue")
    let entries = 0
    const bytes: [number, number] = [0, 0]
    for (const row of rows as { queue: 0 | 1; entries: number; bytes: number }[]) {
      entries += row.entries
      bytes[row.queue] = row.bytes
    }
    return { entries, bytes }
  }

  find(name: string): EntryRow | null {
    const raw = this.get(`SELECT ${COLUMNS} FROM entries WHERE name = ?`, octetsOf(name)) as RawRow | undefined
    return raw === undefined ? null : rowOf(raw)
  }

  /** The first of a queue: the next one to go, unless it was used. */
  first(queue: 0 | 1): EntryRow | null {
    const raw = this.get(`SELECT ${COLUMNS} FROM entries WHERE queue = ? ORDER BY place LIMIT 1`, queue) as RawRow | undefined
    return raw === undefined ? null : rowOf(raw)
  }

  /** Behind all others of its queue. Pending until `settle`: its file may not be there yet. Answers its id, higher than all before. */
  insert(row: NewRow): number {
    const labelled = row.labels.length > 0 ? 1 : 0
    const result = this.run(
      "INSERT INTO entries(name, key, group_length, group_hash, bytes, queue, place, uses, labelled, pending) VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?, 1)",
      octetsOf(row.name),
      Buffer.from(row.key, "latin1"),
      row.groupLength,
      groupHash(row.key.slice(0, row.groupLength)),
      row.bytes,
      row.queue,
      ++this.place,
      labelled,
    )
    const id = Number(result.lastInsertRowid)
    for (const label of row.labels) this.run("INSERT OR IGNORE INTO labels(label, id) VALUES(?, ?)", label, id)
    return id
  }

  remove(row: EntryRow): void {
    this.run("DELETE FROM entries WHERE id = ?", row.id)
    if (row.labelled) this.run("DELETE FROM labels WHERE id = ?", row.id)
  }

  setLabels(row: EntryRow, labels: readonly string[]): void {
    if (row.labelled) this.run("DELETE FROM labels WHERE id = ?", row.id)
    for (const label of labels) this.run("INSERT OR IGNORE INTO labels(label, id) VALUES(?, ?)", label, row.id)
    this.run("UPDATE entries SET labelled = ? WHERE id = ?", labels.length > 0 ? 1 : 0, row.id)
  }

  /** Behind all others of a queue. */
  move(row: EntryRow, queue: 0 | 1, uses: number): void {
    this.run("UPDATE entries SET queue = ?, place = ?, uses = ? WHERE id = ?", queue, ++this.place, uses, row.id)
  }

  touch(names: readonly string[]): void {
    this.transact(() => {
      for (const name of names) this.run(`UPDATE entries SET uses = uses + 1 WHERE name = ? AND uses < ${USES_MAX}`, octetsOf(name))
    })
  }

  /** Their files are where they belong. */
  settle(): void {
    this.run("UPDATE entries SET pending = 0 WHERE pending = 1")
  }

  pending(): EntryRow[] {
    return this.rows(`SELECT ${COLUMNS} FROM entries WHERE pending = 1`)
  }

  lastId(): number {
    return (this.get("SELECT max(id) AS id FROM entries") as { id: number | null }).id ?? 0
  }

  /** In the order of their ids, those behind `after` up to `last`. */
  slice(after: number, last: number, limit: number): EntryRow[] {
    return this.rows(`SELECT ${COLUMNS} FROM entries WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, after, last, limit)
  }

  sliceOfLabel(label: string, after: number, last: number, limit: number): EntryRow[] {
    const from = "FROM labels CROSS JOIN entries USING(id) WHERE label = ? AND labels.id > ? AND labels.id <= ?"
    return this.rows(`SELECT ${COLUMNS} ${from} ORDER BY labels.id LIMIT ?`, label, after, last, limit)
  }

  ofGroup(group: string): EntryRow[] {
    const rows = this.rows(`SELECT ${COLUMNS} FROM entries WHERE group_hash = ?`, groupHash(group))
    return rows.filter(row => row.groupLength === group.length && row.key.startsWith(group))
  }

  /** Those whose names begin with these hexadecimal digits. */
  named(prefix: string): EntryRow[] {
    const from = octetsOf(prefix.padEnd(32, "0"))
    const to = octetsOf(prefix.padEnd(32, "f"))
    return this.rows(`SELECT ${COLUMNS} FROM entries WHERE name >= ? AND name <= ?`, from, to)
  }

  fact(name: string): string {
    const row = this.get("SELECT value FROM facts WHERE name = ?", name) as { value: string } | undefined
    return row?.value ?? ""
  }

  setFact(name: string, value: string): void {
    this.run("INSERT INTO facts(name, value) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value", name, value)
  }

  addRule(kind: string, text: string, mark: boolean): void {
    this.run("INSERT OR IGNORE INTO rules(kind, text, mark) VALUES(?, ?, ?)", kind, text, mark ? 1 : 0)
  }

  rules(): { readonly kind: string; readonly text: string; readonly mark: boolean }[] {
    const rows = this.all("SELECT kind, text, mark FROM rules") as { kind: string; text: string; mark: number }[]
    return rows.map(row => ({ kind: row.kind, text: row.text, mark: row.mark === 1 }))
  }

  clearRules(): void {
    this.run("DELETE FROM rules")
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }

  private statement(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      this.statements.set(sql, statement)
    }
    return statement
  }

  private run(sql: string, ...values: (string | number | Uint8Array)[]): ReturnType<StatementSync["run"]> {
    return this.statement(sql).run(...values)
  }

  private get(sql: string, ...values: (string | number | Uint8Array)[]): unknown {
    return this.statement(sql).get(...values)
  }

  private all(sql: string, ...values: (string | number | Uint8Array)[]): unknown[] {
    return this.statement(sql).all(...values)
  }

  private rows(sql: string, ...values: (string | number | Uint8Array)[]): EntryRow[] {
    return (this.all(sql, ...values) as RawRow[]).map(rowOf)
  }
}

function rowOf(raw: RawRow): EntryRow {
  return {
    id: raw.id,
    name: textOf(raw.name, "hex"),
    key: textOf(raw.key, "latin1"),
    groupLength: raw.group_length,
    bytes: raw.bytes,
    queue: raw.queue,
    uses: raw.uses,
    labelled: raw.labelled === 1,
  }
}

function textOf(octets: Uint8Array, encoding: "hex" | "latin1"): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString(encoding)
}

function octetsOf(name: string): Buffer {
  return Buffer.from(name, "hex")
}

/** 52 bits: as many as a number holds without loss. */
function groupHash(group: string): number {
  return Number.parseInt(hash("sha256", group, "hex").slice(0, 13), 16)
}
