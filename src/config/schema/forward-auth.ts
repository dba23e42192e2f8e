import { loginOptions } from "../../filter/index.ts"

/** How forward clients of a listener say who they are: the options of the filter `proxy-auth`, which runs before the route is chosen. */
export const forwardAuthSchema = loginOptions
