import { afterAll } from "bun:test"
import { cleanUp } from "./processes.ts"

// Loaded before all tests: nothing that a test started or wrote outlives them.
afterAll(cleanUp)
