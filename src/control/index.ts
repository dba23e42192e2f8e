export { main } from "./cli/program.ts"
export type { Terminal } from "./cli/terminal.ts"
