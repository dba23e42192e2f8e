import {
  Client,
  type ChannelCredentials,
  credentials,
  Metadata,
  type MethodDefinition,
  type CallOptions,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js"
import { within } from "../wait.ts"

/** How a call ended and what came before. */
export interface Outcome<Answered> {
  readonly code: number
  readonly details: string
  readonly initial: Metadata
  readonly trailing: Metadata
  readonly answers: readonly Answered[]
}

export interface CallPlan<Asked> {
  readonly metadata?: Readonly<Record<string, string | Buffer>>
  readonly deadlineMs?: number
  /** Messages to send; all at once unless `next` says otherwise. */
  readonly messages: readonly Asked[]
  /** After each answer: send the next message, or "cancel". Default: all messages go at once, then the end. */
  readonly pingPong?: boolean
  /** Cancels right after the messages (0) or after so many answers. */
  readonly cancelAfter?: number
  /** Does not end its side. */
  readonly keepOpen?: boolean
}

/** A client of the library, one channel. */
export class GrpcClient implements Disposable {
  private readonly client: Client

  constructor(address: string, of: ChannelCredentials = credentials.createInsecure(), options: object = {}) {
    this.client = new Client(address, of, { "grpc.enable_http_proxy": 0, "grpc.enable_retries": 0, ...options })
  }

  /** Makes a call of any kind and waits for its end. */
  call<Asked, Answered>(method: MethodDefinition<Asked, Answered>, plan: CallPlan<Asked>): Promise<Outcome<Answered>> {
    return within(this.run(method, plan), 10_000, () => `${method.path} did not end`)
  }

  private run<Asked, Answered>(method: MethodDefinition<Asked, Answered>, plan: CallPlan<Asked>): Promise<Outcome<Answered>> {
    const { promise, resolve } = Promise.withResolvers<Outcome<Answered>>()
    const options: CallOptions = plan.deadlineMs === undefined ? {} : { deadline: Date.now() + plan.deadlineMs }
    const call = this.client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadataOf(plan.metadata),
      options,
    )
    const answers: Answered[] = []
    let initial = new Metadata()
    let sent = 0
    const sendNext = (): void => {
      if (sent < plan.messages.length) call.write(plan.messages[sent++]!)
      else if (plan.keepOpen !== true) call.end()
    }
    call.on("metadata", came => void (initial = came))
    call.on("data", (answer: Answered) => {
      answers.push(answer)
      if (plan.cancelAfter === answers.length) call.cancel()
      else if (plan.pingPong) sendNext()
    })
    call.on("error", (_: ServiceError) => {})
    call.on("status", ({ code, details, metadata }: StatusObject) => resolve({ code, details, initial, trailing: metadata, answers }))
    sendNext()
    if (plan.pingPong !== true) while (sent < plan.messages.length) sendNext()
    if (plan.pingPong !== true && plan.messages.length > 0) sendNext()
    if (plan.cancelAfter === 0) call.cancel()
    return promise
  }

  [Symbol.dispose](): void {
    this.client.close()
  }
}

function metadataOf(values: Readonly<Record<string, string | Buffer>> = {}): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(values)) metadata.set(name, value)
  return metadata
}
