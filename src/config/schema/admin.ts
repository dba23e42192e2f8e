import { z } from "zod"
import { bindSchema } from "./address.ts"
import { field, maybe, off, pathSchema } from "../../base/index.ts"

const adminLongSchema = z.strictObject({
  bind: field(bindSchema, "127.0.0.1:9900", "Address of the admin API and the metrics. Off loopback a token is required."),
  token: maybe(
    z
      .string({ error: "expected the token as text" })
      .min(1, "expected the token as text, got an empty one")
      .regex(/^[\x21-\x7e]+$/, "a token is printable ASCII without blanks"),
    "Secret that requests carry as `Authorization: Bearer …`.",
  ),
  hosts: field(
    z.array(z.string().min(1)),
    [],
    "Names under which the admin API may be asked for, beside loopback ones (defence against DNS rebinding).",
  ),
  peersFile: maybe(
    pathSchema,
    "File where changes of peers at run time are kept over restarts; written at each change, never by hand. Default: they last until the process ends.",
  ),
})

export const adminSchema = z.union([off, adminLongSchema])
