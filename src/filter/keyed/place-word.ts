/** A filter's place as a part of a metric's name: `shop_0` for `routes/shop/rate-limit#0`. */
export function placeWord(place: string): string {
  const [, owner = "", rest = ""] = /^[^/]*\/(.*)\/[^/]*#(.*)$/.exec(place) ?? []
  return `${owner}_${rest}`.toLowerCase().replace(/[^a-z0-9]+/g, "_")
}
