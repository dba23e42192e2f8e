import { describe, expect, test } from "bun:test"
import { type Address, AddressError, type AddressOptions, formatAddress, hostNameFault, parseAddress } from "./address.ts"

function troubleOf(text: string, options?: AddressOptions): string {
  try {
    return `read as ${formatAddress(parseAddress(text, options))}`
  } catch (error) {
    expect(error).toBeInstanceOf(AddressError)
    return (error as Error).message
  }
}

describe("parseAddress", () => {
  const cases: [text: string, options: AddressOptions, expected: Address][] = [
    ["a.test:80", {}, { host: "a.test", port: 80 }],
    ["A.Test.:80", {}, { host: "a.test.", port: 80 }],
    ["localhost:65535", {}, { host: "localhost", port: 65535 }],
    ["my_service-1:8080", {}, { host: "my_service-1", port: 8080 }],
    ["127.0.0.1:80", {}, { host: "127.0.0.1", port: 80 }],
    ["[::1]:80", {}, { host: "::1", port: 80 }],
    ["[2001:DB8:0::1]:443", {}, { host: "2001:db8::1", port: 443 }],
    ["[::ffff:10.0.0.1]:80", {}, { host: "10.0.0.1", port: 80 }],
    ["[fe80::1%eth0]:80", {}, { host: "fe80::1%eth0", port: 80 }],
    ["unix:/run/app.sock", {}, { path: "/run/app.sock" }],
    ["a.test", { defaultPort: 53 }, { host: "a.test", port: 53 }],
    ["192.0.2.1", { defaultPort: 53 }, { host: "192.0.2.1", port: 53 }],
    ["2001:db8::1", { defaultPort: 53 }, { host: "2001:db8::1", port: 53 }],
    ["[2001:db8::1]", { defaultPort: 53 }, { host: "2001:db8::1", port: 53 }],
    ["[2001:db8::1]:54", { defaultPort: 53 }, { host: "2001:db8::1", port: 54 }],
    [":8080", { use: "listen" }, { host: "", port: 8080 }],
    ["*:8080", { use: "listen" }, { host: "", port: 8080 }],
    ["127.0.0.1:0", { use: "listen" }, { host: "127.0.0.1", port: 0 }],
    ["[::]:443", { use: "listen" }, { host: "::", port: 443 }],
    ["unix:/run/in.sock", { use: "listen" }, { path: "/run/in.sock" }],
  ]
  for (const [text, options, expected] of cases)
    test(`${text} ${JSON.stringify(options)}`, () => expect(parseAddress(text, options)).toEqual(expected))

  const troubles: [text: string, options: AddressOptions, message: string][] = [
    ["", {}, 'expected "host:port"'],
    ["a.test", {}, 'expected "host:port"'],
    ["a.test:", {}, "a port is a number from 1 to 65535"],
    ["a.test:0", {}, "a port is a number from 1 to 65535"],
    ["a.test:65536", {}, "a port is a number from 1 to 65535"],
    ["a.test:http", {}, "a port is a number from 1 to 65535"],
    ["a.test:+80", {}, "a port is a number from 1 to 65535"],
    [":80", {}, "a host is missing"],
    ["*:80", {}, "letters, digits, hyphens"],
    ["::1:80", {}, 'an IPv6 address stands in brackets: write "[::1]:80"'],
    ["::1", {}, "an IPv6 address stands in brackets"],
    ["[::1]", {}, "a port is missing after the bracket"],
    ["[::1:80", {}, "the bracket is not closed"],
    ["[::1]80", {}, "a port is missing after the bracket"],
    ["[a.test]:80", {}, "no IPv6 address in the brackets"],
    ["[127.0.0.1]:80", {}, "no IPv6 address in the brackets"],
    ["127.1:80", {}, "four decimal numbers such as 127.0.0.1"],
    ["0x7f000001:80", {}, "four decimal numbers"],
    ["010.0.0.1:80", {}, "four decimal numbers"],
    ["bücher.test:80", {}, "written in ASCII"],
    ["http://a.test:80", {}, "in brackets"],
    ["a/b:80", {}, "letters, digits, hyphens"],
    ["a..test:80", {}, "a label of the name is empty"],
    ["-a.test:80", {}, "neither begins nor ends with a hyphen"],
    [`${"a".repeat(64)}.test:80`, {}, "at most 63 characters"],
    [`${"a.".repeat(127)}test:80`, {}, "at most 253 characters"],
    ["localhost:80", { use: "listen" }, 'write "127.0.0.1:80"'],
    ["127.0.0.1:65536", { use: "listen" }, "a port is a number from 0 to 65535"],
    ["8080", { use: "listen" }, 'expected "host:port", ":port"'],
    ["unix:run.sock", {}, "absolute path"],
    ["unix:/run/", {}, "not the path of a socket"],
    ["unix:/a\0b", {}, "not the path of a socket"],
    [`unix:/${"x".repeat(107)}`, {}, "at most 107 octets"],
  ]
  for (const [text, options, message] of troubles) {
    test(`refuses ${JSON.stringify(text.slice(0, 40))} ${JSON.stringify(options)}`, () => expect(troubleOf(text, options)).toContain(message))
  }

  test("names what it read", () => expect(troubleOf("a.test")).toStartWith('"a.test" is not an address: '))
})

describe("formatAddress", () => {
  test("is what parseAddress reads", () => {
    for (const text of ["a.test:80", "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/run/app.sock"])
      expect(formatAddress(parseAddress(text))).toBe(text)
    expect(formatAddress(parseAddress(":80", { use: "listen" }))).toBe(":80")
  })
})

describe("hostNameFault", () => {
  test("a longest name passes, with and without the final dot", () => {
    const name = `${"a".repeat(61)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(63)}`
    expect(name.length).toBe(253)
    expect([hostNameFault(name), hostNameFault(`${name}.`)]).toEqual([null, null])
  })
})
