import { describe, expect, test } from "bun:test"
import { hashSync } from "bcryptjs"
import { parsePasswordHash, verifyPassword } from "./password-hash.ts"

const verify = async (hash: string, password: string) => verifyPassword(parsePasswordHash(hash), password)

describe("verifyPassword", () => {
  test("bcrypt as `htpasswd -B` writes it", async () => {
    const hash = "$2y$04$8.M7xLzIWI31aiVhZLwGBOL7bJBAdURTbbVsVEZVvLjF4b.3FZzUe"
    expect(await verify(hash, "sesame")).toBe(true)
    expect(await verify(hash, "Sesame")).toBe(false)
    expect(await verify(hash, "")).toBe(false)
  })

  test("bcrypt with a password in UTF-8, and the other prefixes", async () => {
    expect(await verify("$2y$04$wEA8DKZOMa4Pbibp/2oTa.XLied6Mp4EJzqoj.ni/f.fTF7iyPcM2", "pä:ss")).toBe(true)
    const hash = hashSync("open", 4)
    for (const prefix of ["$2a$", "$2b$", "$2y$"]) expect(await verify(prefix + hash.slice(4), "open")).toBe(true)
  })

  test("bcrypt sees 72 octets of a long password, as every htpasswd does", async () => {
    const hash = hashSync("ü".repeat(36), 4)
    expect(await verify(hash, `${"ü".repeat(36)}tail`)).toBe(true)
    expect(await verify(hash, `${"ü".repeat(35)}u`)).toBe(false)
  })

  test("argon2id: the reference implementation's own vector", async () => {
    const hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
    expect(await verify(hash, "password")).toBe(true)
    expect(await verify(hash, "passwore")).toBe(false)
  })

  test("{SHA} as `htpasswd -s` writes it", async () => {
    expect(await verify("{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=", "open")).toBe(true)
    expect(await verify("{SHA}X8fji//gDKRq3YkUVGSi6vdZ1cI=", "opem")).toBe(false)
  })

  test("a dear hash does not hold the thread", async () => {
    const hash = hashSync("open", 4).replace("$04$", "$11$")
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const verdict = verifyPassword(parsePasswordHash(hash), "open")
    expect(verdict).toBeInstanceOf(Promise)
    expect(await verdict).toBe(false)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
  })
})

describe("parsePasswordHash", () => {
  test.each([
    ["$apr1$B1kQTCr2$6xgOFKM2nXF0LcP2A1W7f0", "an MD5 hash"],
    ["$1$B1kQTCr2$6xgOFKM2nXF0LcP2A1W7f0", "an MD5 hash"],
    ["$6$salt$hash", "a SHA-crypt hash"],
    ["{SSHA}aaaa", "a salted SHA-1 hash"],
    ["5oxilv5l7d7H.", "a DES crypt hash"],
    ["hunter2", "no hash; a plain password is not accepted"],
    ["", "no hash"],
    ["$9$x", "an unknown kind"],
    ["$2y$04$short", "a damaged bcrypt hash"],
    ["$2y$03$8.M7xLzIWI31aiVhZLwGBOL7bJBAdURTbbVsVEZVvLjF4b.3FZzUe", "a damaged bcrypt hash"],
    ["$2x$04$8.M7xLzIWI31aiVhZLwGBOL7bJBAdURTbbVsVEZVvLjF4b.3FZzUe", "a damaged bcrypt hash"],
    ["$2y$16$8.M7xLzIWI31aiVhZLwGBOL7bJBAdURTbbVsVEZVvLjF4b.3FZzUe", "cost 16, which takes 4 seconds a login; expected at most 15"],
    ["$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "another variant of argon2"],
    ["$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "a damaged argon2id hash"],
    ["$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "beyond the limits"],
    ["$argon2id$v=19$m=8,t=2,p=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "beyond the limits"],
    ["{SHA}abc", "a damaged {SHA} hash"],
  ])("refuses %s without repeating it", (text, message) => {
    let said = ""
    try {
      parsePasswordHash(text)
    } catch (error) {
      said = (error as Error).message
    }
    expect(said).toContain(message)
    if (text.length > 5) expect(said).not.toContain(text)
  })
})
