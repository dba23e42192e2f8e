import type { Command } from "commander"
import type { CommandContext } from "../program.ts"
import { addCacheList, addCacheShow } from "./admin/entries.ts"
import { addCachePurge } from "./admin/purge.ts"
import { addCacheReport } from "./admin/report.ts"
import { addCacheStats } from "./admin/stats.ts"
import { addCacheSize } from "./size.ts"
import { addCacheWarm } from "./warm/warm.ts"

/** `bothways cache …`: sizing and warming from access logs, and what a running instance keeps. */
export function addCache(program: Command, context: CommandContext): void {
  const cache = program.command("cache").description("size, warm, purge and look into caches")
  for (const add of [addCacheSize, addCacheWarm, addCachePurge, addCacheList, addCacheShow, addCacheStats, addCacheReport]) add(cache, context)
}
