/** Something to do when the runtime has told what it had to tell in this turn. */
export interface AfterEvents {
  run(): void
}

let waiting: AfterEvents[] = []

/** Runs it in a later turn, in the order of the calls; one turn for all who wait. */
export function afterEvents(task: AfterEvents): void {
  if (waiting.push(task) === 1) setImmediate(runAll)
}

function runAll(): void {
  const tasks = waiting
  waiting = []
  for (const task of tasks) task.run()
}
