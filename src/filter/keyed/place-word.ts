/** A filter's place as a part of a metric's name: `shop_0` for `routes/shop/rate-limit#0`, `filters_0` for one of all routes. */
export function placeWord(place: string): string {
  const [, owner = "", rest = ""] = /^[^/]*\/(.*)\/[^/]*#(.*)$/.exec(place) ?? /^([^/]*)\/[^/]*#(.*)$/.exec(place) ?? []
  return `${owner}_${rest}`.toLowerCase().replace(/[^a-z0-9]+/g, "_")
}
