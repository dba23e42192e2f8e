import { isIP } from "node:net"
import { Resolver, setSocketMark } from "../../net/index.ts"

/** Addresses that a DNS listener of this product gives out in place of real ones: no exit is there. */
const STAND_IN = /^198\.1[89]\./

/**
 * The addresses of the exit's name, looked up once, before anything is captured. Rules of a tunnel that was killed may still be in force: the mark gets the
 * query past them. Throws with a message for the operator.
 */
export async function resolveExit(host: string, mark: number): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  setSocketMark(mark)
  const addresses = await new Promise<readonly string[]>((resolve, reject) => {
    new Resolver({}).lookup(host, (error, found) =>
      error === null ? resolve(found.map(({ address }) => address)) : reject(new Error(error.message)),
    )
  })
  const real = addresses.filter(address => !STAND_IN.test(address))
  if (real.length === 0)
    throw new Error(`${host} leads to an address that stands in for a name; say the exit's own address with --via, and its name with --server-name`)
  return real
}
