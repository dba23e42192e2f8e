/** The rooms of `src`, the floor of each, and what always holds in it: also the first line of the room's README. */
export interface Room {
  readonly floor: number
  readonly invariant: string
}

export const rooms: Readonly<Record<string, Room>> = {
  base: { floor: 0, invariant: "no I/O, no HTTP words" },
  net: { floor: 1, invariant: "knows bytes and addresses; does not know HTTP; the only room that knows the runtime's sockets" },
  http: { floor: 2, invariant: "refuses ambiguous messages; decides nothing about where they go; the only room that knows the HTTP version" },
  flow: { floor: 3, invariant: "no promise, no feature names, no mode" },
  plugin: { floor: 4, invariant: "contracts only, under 1,000 lines, every field documented" },
  route: { floor: 5, invariant: "look-up never allocates; compiled at load; sub-linear in the number of routes" },
  filter: { floor: 5, invariant: "a filter touches only the Exchange and its own slot" },
  answer: { floor: 5, invariant: "answers without a server; never a path out of its root, never a promise on the hot path" },
  cache: { floor: 5, invariant: "every rule names its RFC 9111 section; stores know nothing of HTTP" },
  upstream: { floor: 5, invariant: "balancers never see an HTTP message, so TCP and HTTP share them" },
  observe: { floor: 5, invariant: "reads the Exchange, never changes it" },
  config: { floor: 6, invariant: "its output is an immutable Snapshot; never a partial apply" },
  control: { floor: 7, invariant: "the only room that starts or stops anything" },
}

/** The room of a file, or "" for main.ts and for what lies outside `src`. */
export function roomOf(path: string): string {
  const parts = path.split("/")
  return parts[0] === "src" && parts.length > 2 ? parts[1]! : ""
}
