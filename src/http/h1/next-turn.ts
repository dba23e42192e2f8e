// HOT

/** Somebody who has more to do than one turn of the event loop allows. */
export interface TurnTaker {
  onTurn(): void
}

let waiting: TurnTaker[] = []
let serving: TurnTaker[] = []

/** Calls `onTurn` in the next turn, after those who asked before; sockets and timers come in between. */
export function inNextTurn(taker: TurnTaker): void {
  if (waiting.length === 0) setImmediate(serve)
  waiting.push(taker)
}

function serve(): void {
  const turn = waiting
  waiting = serving
  serving = turn
  for (let at = 0; at < turn.length; at++) turn[at]!.onTurn()
  turn.length = 0
}
