import { FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, resume, setLocalResponse, ANSWER, type Verdict, WAIT } from "../../flow/index.ts"
import { AcceptedCodings, NAME } from "../../http/index.ts"
import { fileName, type NameRules } from "./file-name.ts"
import { FileStore } from "./file-store.ts"
import { folderListing } from "./folder-listing.ts"
import { missing } from "./missing.ts"
import type { FilesOptions } from "./options.ts"
import { FileServer } from "./file-server.ts"
import type { Found, SiteFile } from "./site-file.ts"

/** Answers GET and HEAD with what lies below one root. */
export class FileAnswer {
  private readonly options: FilesOptions
  private readonly rules: NameRules
  private readonly store: FileStore
  private readonly server: FileServer

  constructor(options: FilesOptions, clocks: { readonly now: () => number; readonly wall: () => number }) {
    this.options = options
    this.rules = { strip: options.strip.replace(/\/$/, ""), hidden: options.hidden === "allow" }
    this.store = new FileStore(options, clocks.now)
    this.server = new FileServer(options.precompressed === null ? null : new AcceptedCodings(options.precompressed), clocks.wall)
  }

  answer(x: Exchange): Verdict {
    if (x.method !== "GET" && x.method !== "HEAD") return refuseMethod(x)
    const name = fileName(x.rulePath, this.rules)
    if (name === null) return missing(x)
    const found = this.store.find(name)
    if (found !== undefined && found.kind === "file") return this.server.serve(x, found, 200)
    void this.goOn(x, name, x.generation)
    return WAIT
  }

  private async goOn(x: Exchange, name: string, generation: number): Promise<void> {
    const found = this.store.find(name) ?? (await this.store.look(name))
    const verdict = await this.settle(x, name, found)
    if (x.generation === generation) resume(x, verdict())
    // Nobody waits any more; what was opened for the answer is opened when it is made.
  }

  /** What is to be answered, as a step that does not wait. */
  private async settle(x: Exchange, name: string, found: Found): Promise<() => Verdict> {
    if (found.kind === "file") return () => this.server.serve(x, found, 200)
    if (found.kind === "folder") {
      if (!name.endsWith("/")) return () => redirectToFolder(x)
      if (this.options.listing) {
        const listing = await folderListing(this.options, found.name)
        if (listing !== null) return () => listing.answer(x)
      }
    }
    const other = await this.otherwise(x, name)
    if (other === null) return () => missing(x)
    return () => this.server.serve(x, other.file, other.status)
  }

  /** The page of the application, or the one that says that there is none. */
  private async otherwise(x: Exchange, name: string): Promise<{ file: SiteFile; status: number } | null> {
    const { fallback, notFound } = this.options
    if (fallback !== null && isPage(x, name)) {
      const file = await this.store.look(rooted(fallback))
      if (file.kind === "file") return { file, status: 200 }
    }
    if (notFound === null) return null
    const file = await this.store.look(rooted(notFound))
    return file.kind === "file" ? { file, status: 404 } : null
  }
}

function refuseMethod(x: Exchange): Verdict {
  x.fault = FAULT.methodForbidden
  x.replyFields = "Allow: GET, HEAD\r\n"
  return FAULT_VERDICT
}

/** Links in an index are relative to its folder. Never to another host: `//evil.test` is a path here and an authority in a Location. */
function redirectToFolder(x: Exchange): Verdict {
  setLocalResponse(x, 308, `Location: ${x.path.replace(/^\/{2,}/, "/")}/${x.query}\r\n`, null)
  return ANSWER
}

/** A page, not a picture that is not there. */
function isPage(x: Exchange, name: string): boolean {
  return !name.substring(name.lastIndexOf("/") + 1).includes(".") || x.request.joined(NAME.accept).includes("text/html")
}

function rooted(name: string): string {
  return name.startsWith("/") ? name : `/${name}`
}
