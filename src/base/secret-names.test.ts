import { expect, test } from "bun:test"
import { bareName, isSecretName } from "./secret-names.ts"

test.each(["password", "user_password", "X-API-Key", "accessToken", "client-secret", "sid", "CVV", "card_number", "Authorization", "key"])(
  "%s is one",
  name => {
    expect(isSecretName(bareName(name))).toBe(true)
  },
)

test.each(["", "name", "keyboard", "passenger", "tokens_used", "monkey", "author", "pinned", "cardinality"])("%j is none", name => {
  expect(isSecretName(bareName(name))).toBe(false)
})
