import { z } from "zod"
import { AddressError, CidrSet } from "../../base/index.ts"

/** Whether clients of a network are asked who they are. */
export type LoginMode = "none" | "optional" | "required"

const modeSchema = z.enum(["none", "optional", "required"])

/** `{ "10.0.0.0/8": none, default: required }`. */
export const networksSchema = z
  .record(z.string(), modeSchema)
  .superRefine((networks, context) => {
    for (const network of Object.keys(networks)) {
      const problem = network === "default" ? "" : networkProblem(network)
      if (problem !== "") context.addIssue({ code: "custom", path: [network], message: problem })
    }
  })
  .describe(
    "Who is asked, by the client's network: required, optional (who says who it is must be right) or none. The narrowest network counts; `default` is all others.",
  )

function networkProblem(text: string): string {
  if (text.includes("-")) return "expected an address or a prefix such as 10.0.0.0/8, or default"
  try {
    CidrSet.parse([text])
    return ""
  } catch (error) {
    if (error instanceof AddressError) return `${error.message}; expected a network or default`
    throw error
  }
}

/** Finds the mode of a client. */
export class NetworkModes {
  private readonly networks: readonly { readonly set: CidrSet; readonly mode: LoginMode }[]
  private readonly others: LoginMode

  constructor(networks: Readonly<Record<string, LoginMode>>) {
    this.others = networks["default"] ?? "required"
    this.networks = Object.entries(networks)
      .filter(([network]) => network !== "default")
      .sort(([a], [b]) => bitsOf(b) - bitsOf(a))
      .map(([network, mode]) => ({ set: CidrSet.parse([network]), mode }))
  }

  get text(): string {
    return this.networks.length === 0 ? this.others : `${this.networks.length} networks, others ${this.others}`
  }

  of(address: string): LoginMode {
    for (let i = 0; i < this.networks.length; i++) if (this.networks[i]!.set.has(address)) return this.networks[i]!.mode
    return this.others
  }
}

/** Length of the prefix; an address alone is longer than any. */
function bitsOf(network: string): number {
  const slash = network.indexOf("/")
  return slash < 0 ? 129 : Number(network.slice(slash + 1))
}
