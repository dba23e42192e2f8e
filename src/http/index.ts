export { Fields } from "./fields.ts"
export { NAME, nameId, nameOf } from "./names.ts"
