/**
 * Our client as Connect's conformance suite drives it: `node -C source
 * test/connect-conformance/client.ts TRANSPORT`. It reads a ClientCompatRequest for each call from
 * its standard input, makes the call, and writes what came of it.
 */
import { Semaphore } from "@plumbline/concurrency";
import { codeOf, codeToNumber, isServiceError } from "@plumbline/errors";
import { noTelemetry } from "@plumbline/telemetry";
import { connect } from "../../src/client/connect.ts";
import { createClient } from "../../src/client/create-client.ts";
import { transportNames } from "../../src/transports/index.ts";
import {
  ClientCompatRequest,
  type ClientCompatRequest_Cancel,
  ClientCompatResponse,
  type ClientResponseResult,
} from "./gen/connectrpc/conformance/v1/client_compat.ts";
import {
  BidiStreamRequest,
  ClientStreamRequest,
  type ConformancePayload,
  ConformanceServiceDefinition,
  IdempotentUnaryRequest,
  ServerStreamRequest,
  UnaryRequest,
} from "./gen/connectrpc/conformance/v1/service.ts";
import { pem, readMessages, toHeaders, toMetadata, writeMessage } from "./messages.ts";

const transport = transportNames.find((name) => name === process.argv[2]);
if (transport === undefined) throw new Error(`expected a transport: ${transportNames.join(", ")}`);

const parallel = 8;
/** A call that takes longer hangs: the suite's longest delay is a few seconds. */
const hangMs = 20_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Cancels a call at the moment that a case asks for. */
class Cancelling {
  readonly #controller = new AbortController();
  readonly #timing: ClientCompatRequest_Cancel["cancelTiming"] | "at once";

  constructor(cancel: ClientCompatRequest_Cancel | undefined) {
    this.#timing = cancel && (cancel.cancelTiming ?? "at once");
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Returns never if the case cancels before the requests end. */
  async beforeClose(): Promise<void> {
    if (this.#timing === "at once" || this.#timing?.$case !== "beforeCloseSend") return;
    await pause(10); // For the last request to be sent.
    this.#controller.abort();
    await new Promise(() => {});
  }

  afterClose(): void {
    if (this.#timing === "at once") setTimeout(() => this.#controller.abort(), 0);
    else if (this.#timing?.$case === "afterCloseSendMs") setTimeout(() => this.#controller.abort(), this.#timing.value);
  }

  received(count: number): void {
    if (this.#timing !== "at once" && this.#timing?.$case === "afterNumResponses" && count === this.#timing.value)
      this.#controller.abort();
  }
}

async function invoke(asked: ClientCompatRequest): Promise<ClientResponseResult> {
  const ca = pem(asked.serverTlsCert);
  const own = asked.clientTlsCreds;
  const pair = own === undefined ? {} : { certificate: pem(own.cert) ?? "", key: pem(own.key) ?? "" };
  await using channel = await connect(`${asked.host}:${asked.port}`, noTelemetry, {
    transport,
    tls: ca === undefined ? undefined : { ca, ...pair },
    maxMessageBytes: asked.messageReceiveLimit === 0 ? undefined : asked.messageReceiveLimit,
  });
  const client = createClient(ConformanceServiceDefinition, channel);
  const cancelling = new Cancelling(asked.cancel);
  const result: ClientResponseResult = {
    responseHeaders: [],
    payloads: [],
    error: undefined,
    responseTrailers: [],
    numUnsentRequests: 0,
    httpStatusCode: undefined,
    feedback: [],
  };
  const options = {
    signal: cancelling.signal,
    timeoutMs: asked.timeoutMs ?? Number.POSITIVE_INFINITY,
    metadata: toMetadata(asked.requestHeaders),
    onHeaders: (headers: Parameters<typeof toHeaders>[0]) => void (result.responseHeaders = toHeaders(headers)),
    onTrailers: (trailers: Parameters<typeof toHeaders>[0]) => void (result.responseTrailers = toHeaders(trailers)),
  };
  let answered = Promise.withResolvers<void>();
  const isFullDuplex = asked.streamType === 5;
  async function* requests<T>(decode: (bytes: Uint8Array) => T): AsyncGenerator<T> {
    for (const { value } of asked.requestMessages) {
      if (asked.requestDelayMs > 0) await pause(asked.requestDelayMs);
      yield decode(value);
      if (!isFullDuplex) continue;
      await answered.promise;
      answered = Promise.withResolvers();
    }
    await cancelling.beforeClose();
    cancelling.afterClose();
  }
  const take = ({ payload }: { payload: ConformancePayload | undefined }): void => {
    result.payloads.push(payload ?? { data: new Uint8Array(), requestInfo: undefined });
    cancelling.received(result.payloads.length);
    answered.resolve();
  };
  const only = asked.requestMessages[0]?.value ?? new Uint8Array();
  /** Makes a call with one request. */
  const one = async <T>(call: () => T): Promise<T> => {
    if (asked.requestDelayMs > 0) await pause(asked.requestDelayMs);
    const begun = call();
    cancelling.afterClose();
    return begun;
  };
  const methods: Readonly<Record<string, () => Promise<void>>> = {
    Unary: async () => take(await one(() => client.unary(UnaryRequest.decode(only), options))),
    IdempotentUnary: async () =>
      take(await one(() => client.idempotentUnary(IdempotentUnaryRequest.decode(only), options))),
    Unimplemented: async () => void (await one(() => client.unimplemented({}, options))),
    ClientStream: async () =>
      take(
        await client.clientStream(
          requests((bytes) => ClientStreamRequest.decode(bytes)),
          options,
        ),
      ),
    async ServerStream() {
      const answers = await one(() => client.serverStream(ServerStreamRequest.decode(only), options));
      for await (const each of answers) take(each);
    },
    async BidiStream() {
      const answers = client.bidiStream(
        requests((bytes) => BidiStreamRequest.decode(bytes)),
        options,
      );
      for await (const each of answers) take(each);
    },
  };
  try {
    const method = methods[asked.method ?? ""];
    if (method === undefined) throw new Error(`no such method: ${asked.method}`);
    await method();
  } catch (error) {
    const details = isServiceError(error) ? [...(error.details ?? [])] : [];
    const message = error instanceof Error ? error.message : String(error);
    result.error = { code: codeToNumber(codeOf(error)) as never, message, details };
  }
  return result;
}

/** Returns the answer to one request of the suite, which is an error if the call hangs. */
async function respond(asked: ClientCompatRequest): Promise<ClientCompatResponse> {
  const { testName } = asked;
  const hang = pause(hangMs).then(() => {
    throw new Error(`the call did not end within ${hangMs / 1_000} s`);
  });
  try {
    return { testName, result: { $case: "response", value: await Promise.race([invoke(asked), hang]) } };
  } catch (error) {
    return { testName, result: { $case: "error", value: { message: String(error) } } };
  }
}

const places = new Semaphore(parallel);
const calls: Promise<void>[] = [];
for await (const bytes of readMessages(process.stdin)) {
  const asked = ClientCompatRequest.decode(bytes);
  const place = await places.acquire();
  const made = respond(asked).then((response) => writeMessage(ClientCompatResponse.encode(response).finish()));
  calls.push(made.finally(() => place[Symbol.dispose]()));
}
await Promise.all(calls);
process.exit(0); // Timers of calls that ended are left.
