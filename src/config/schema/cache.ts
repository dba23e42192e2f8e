import { z } from "zod"
import { size } from "../../base/index.ts"
import { field, maybe, pathSchema } from "../../base/index.ts"

export const cacheSchema = z.strictObject({
  memory: field(size({ min: 1024 ** 2, max: 64 * 2 ** 30 }), "64MB", "Memory of this cache, over all workers."),
  disk: maybe(
    z.strictObject({
      path: pathSchema.describe("Directory of its own."),
      size: size({ min: 1024 ** 2 }).describe("Room on the disk."),
    }),
    "Second level on a disk.",
  ),
})
