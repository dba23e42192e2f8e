import { z } from "zod"
import { count, duration, field, maybe, pathSchema, size } from "../../base/index.ts"

const serviceSchema = z.string().regex(/^\/?[A-Za-z0-9_./?=&-]+$/, "expected the name of a service such as /respmod")

export const icapOptions = z
  .strictObject({
    server: z
      .string()
      .regex(/^icaps?:\/\/(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?\/?$/, 'expected "icap://127.0.0.1:1344" or "icaps://scanner.example"')
      .describe("ICAP server, port 1344 (icaps: 11344) unless it says another."),
    request: maybe(serviceSchema, "Service that sees requests (REQMOD)."),
    response: maybe(serviceSchema, "Service that sees responses (RESPMOD)."),
    bytesMax: field(size({ min: 1024, max: 256 * 1024 ** 2 }), "8MB", "Octets of one body that wait in memory while they are looked at."),
    over: field(z.enum(["pass", "block"]), "pass", "What becomes of a larger body that the server has not made up its mind about."),
    failure: field(z.enum(["block", "pass"]), "block", "What becomes of traffic while the server cannot be asked."),
    timeout: field(duration({ min: 10 }), "10s", "Longest wait for the server at each turn."),
    preview: field(
      z.union([z.literal("auto"), z.literal(false).transform((): null => null), size({ max: 65_536 })]),
      "auto",
      "Octets that are sent before the server says whether it wants the rest (RFC 3507 section 4.5). auto = as many as it asks for.",
    ),
    ranges: field(
      z.enum(["whole", "pass"]),
      "whole",
      "Clients that ask for a part of a body: whole = they get all of it, for a part tells nothing of the whole; pass = parts are looked at as they are.",
    ),
    skip: field(
      z.array(z.string().regex(/^[a-z0-9.+-]+\/(?:\*|[a-z0-9.+-]+)$/, "expected a media type such as image/*")),
      [],
      "Media types of responses that are not looked at.",
    ),
    tell: field(z.array(z.enum(["client", "user"])), [], "What the server learns of who asks: X-Client-IP, X-Authenticated-User."),
    connectionsMax: field(count(1, 10_000), 50, "Connections to the server, for each worker."),
    ca: maybe(pathSchema, "icaps: PEM file with the authorities that are believed. Default: those of the system."),
  })
  .refine(
    ({ request, response }) => request !== null || response !== null,
    "nothing is looked at: name the service for `request`, `response` or both",
  )

export type IcapOptions = z.output<typeof icapOptions>
