import type { ConfigInput } from "./schema.ts"

/** Gives a TypeScript config its type: `export default defineConfig({ listeners: { … }, routes: [ … ] })`. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
