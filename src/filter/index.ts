export { type ForwardFieldsOptions, forwardRequestStep, forwardResponseStep, type Privacy } from "./forwarding/forward-fields.ts"
export { limitForwards, refuseMethod } from "./forwarding/max-forwards.ts"
export { type ReverseFieldsOptions, reverseRequestStep, reverseResponseStep } from "./forwarding/reverse-fields.ts"
export { trustedHopsStep } from "./forwarding/trusted-hops.ts"
