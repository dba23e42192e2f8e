import { FAULT } from "../base/index.ts"
import { ANSWER, type Exchange, FAULT_VERDICT, resume, setLocalResponse, type Verdict, WAIT } from "../flow/index.ts"
import type { CachePolicy } from "./policy.ts"
import type { CacheStore } from "./cache-store.ts"
import { hashOfGroup } from "./store/key.ts"

/** Answers PURGE: removes everything that is stored for the URL, all variants, for all workers before it answers (Varnish's and Squid's use of the method). */
export function purgeByMethod(x: Exchange, group: string, policy: CachePolicy, { memory, disk }: CacheStore): Verdict {
  if (!policy.purgers!.has(x.clientAddress)) {
    x.fault = FAULT.forbidden
    return FAULT_VERDICT
  }
  const target = { group, groupHash: hashOfGroup(group) }
  const count = memory.removeGroup(target, false)
  if (disk === null) return answer(x, count)
  const { generation } = x
  void disk.removeGroup(target, false).then(onDisk => {
    // What came up from the disk in between.
    const again = memory.removeGroup(target, false)
    if (x.generation === generation) resume(x, answer(x, count + onDisk + again))
  })
  return WAIT
}

function answer(x: Exchange, purged: number): Verdict {
  setLocalResponse(x, 200, "Content-Type: application/json\r\nCache-Control: no-store\r\n", Buffer.from(`${JSON.stringify({ purged })}\n`))
  return ANSWER
}
