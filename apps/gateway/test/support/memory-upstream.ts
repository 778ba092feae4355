import {
  create,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { deadline } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import type { Upstream, UpstreamCall } from "../../src/upstream.ts";

/** A response, or one message of a stream, as the JSON of the method's output. */
type Reply = JsonValue;

/** A service's implementation of one method, in JSON. */
export type Handler = (request: JsonValue, call: UpstreamCall) => Reply | Promise<Reply> | AsyncIterable<Reply>;

/** A service in memory. Bytes go in and out as over gRPC. */
export class MemoryUpstream implements Upstream {
  readonly #methods = new Map<string, DescMethod>();
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #registry: FileRegistry;

  /** Takes handlers by method name, such as `GetOrder`. */
  constructor(registry: FileRegistry, handlers: Readonly<Record<string, Handler>>) {
    this.#registry = registry;
    this.#handlers = handlers;
    for (const file of registry.files) {
      for (const service of file.services) {
        for (const method of service.methods) this.#methods.set(`/${service.typeName}/${method.name}`, method);
      }
    }
  }

  async unary(path: string, request: Uint8Array, call: UpstreamCall): Promise<{ message: Uint8Array }> {
    const { method, reply } = this.#call(path, request, call);
    using limit = deadline(call.timeoutMs, { signal: call.signal });
    return { message: this.#encode(method, await untilAborted(reply as Promise<Reply>, limit.signal)) };
  }

  async *serverStream(path: string, request: Uint8Array, call: UpstreamCall): AsyncIterable<Uint8Array> {
    const { method, reply } = this.#call(path, request, call);
    const replies = (reply as AsyncIterable<Reply>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await untilAborted(replies.next(), call.signal);
        if (next.done === true) return;
        yield this.#encode(method, next.value);
      }
    } finally {
      void replies.return?.();
    }
  }

  #call(path: string, request: Uint8Array, call: UpstreamCall): { method: DescMethod; reply: ReturnType<Handler> } {
    const method = this.#methods.get(path);
    const handler = method === undefined ? undefined : this.#handlers[method.name];
    if (method === undefined || handler === undefined)
      throw new ServiceError("unimplemented", `no handler for ${path}`);
    const json = toJson(method.input, fromBinary(method.input, request), { registry: this.#registry });
    return { method, reply: handler(json, call) };
  }

  #encode({ output }: DescMethod, reply: Reply): Uint8Array {
    return toBinary(output, reply === null ? create(output) : fromJson(output, reply, { registry: this.#registry }));
  }
}

/** Rejects with the signal's reason when it aborts first, as a call over gRPC does. */
async function untilAborted<T>(work: Promise<T> | T, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
