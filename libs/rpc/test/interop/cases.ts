/**
 * The client side of the interop cases, as grpc/doc/interop-test-descriptions.md describes them.
 */
import assert from "node:assert/strict";
import { type Channel, createClient, type Metadata } from "../../src/index.ts";
import {
  type DeepPartial,
  SimpleRequest,
  StreamingInputCallRequest,
  StreamingOutputCallRequest,
} from "../gen/grpc/testing/messages.ts";
import { TestServiceDefinition as TestService, UnimplementedServiceDefinition } from "../gen/grpc/testing/test.ts";

const zeros = (size: number): { body: Uint8Array } => ({ body: new Uint8Array(size) });
const simple = (parts: DeepPartial<SimpleRequest>) => SimpleRequest.fromPartial(parts);
const input = (size: number) => StreamingInputCallRequest.fromPartial({ payload: zeros(size) });
const output = (parts: DeepPartial<StreamingOutputCallRequest>) => StreamingOutputCallRequest.fromPartial(parts);

async function* from<T>(...values: T[]): AsyncGenerator<T> {
  yield* values;
}

/** Requests that are sent one by one, on demand. */
function turns<T>() {
  let turn = Promise.withResolvers<T | undefined>();
  return {
    send(value: T): void {
      turn.resolve(value);
    },
    end(): void {
      turn.resolve(undefined);
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<T> {
      for (;;) {
        const value = await turn.promise;
        turn = Promise.withResolvers();
        if (value === undefined) return;
        yield value;
      }
    },
  };
}

const requestSizes = [27_182, 8, 1_828, 45_904];
const responseSizes = [31_415, 9, 2_653, 58_979];
const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

/** The cases, by their names in the interop programs. */
export const cases: Readonly<Record<string, (channel: Channel) => Promise<void>>> = {
  async empty_unary(channel) {
    await createClient(TestService, channel).emptyCall({});
  },

  async large_unary(channel) {
    const { payload } = await createClient(TestService, channel).unaryCall(
      simple({ responseSize: 314_159, payload: zeros(271_828) }),
    );
    assert.ok(Buffer.alloc(314_159).equals(payload?.body ?? new Uint8Array()));
  },

  async client_streaming(channel) {
    const requests = from(...requestSizes.map(input));
    const { aggregatedPayloadSize } = await createClient(TestService, channel).streamingInputCall(requests);
    assert.equal(aggregatedPayloadSize, 74_922);
  },

  async server_streaming(channel) {
    const responseParameters = responseSizes.map((size) => ({ size }));
    const responses = createClient(TestService, channel).streamingOutputCall(output({ responseParameters }));
    const got = await Array.fromAsync(responses, ({ payload }) => payload?.body.length);
    assert.deepEqual(got, responseSizes);
  },

  async ping_pong(channel) {
    const requests = turns<StreamingOutputCallRequest>();
    const send = (index: number): void =>
      requests.send(
        output({
          responseParameters: [{ size: responseSizes[index] ?? 0 }],
          payload: zeros(requestSizes[index] ?? 0),
        }),
      );
    send(0);
    const got: (number | undefined)[] = [];
    for await (const { payload } of createClient(TestService, channel).fullDuplexCall(requests)) {
      got.push(payload?.body.length);
      if (got.length < responseSizes.length) send(got.length);
      else requests.end();
    }
    assert.deepEqual(got, responseSizes);
  },

  async empty_stream(channel) {
    assert.deepEqual(await Array.fromAsync(createClient(TestService, channel).fullDuplexCall(from())), []);
  },

  async timeout_on_sleeping_server(channel) {
    const requests = turns<StreamingOutputCallRequest>();
    requests.send(output({ payload: zeros(27_182) }));
    const call = createClient(TestService, channel).fullDuplexCall(requests, { timeoutMs: 1 });
    await assert.rejects(Array.fromAsync(call), { code: "deadline_exceeded" });
  },

  async cancel_after_begin(channel) {
    const controller = new AbortController();
    const call = createClient(TestService, channel).streamingInputCall(turns<StreamingInputCallRequest>(), {
      signal: controller.signal,
    });
    setImmediate(() => controller.abort());
    await assert.rejects(call, { name: "AbortError" });
  },

  async cancel_after_first_response(channel) {
    const controller = new AbortController();
    const requests = turns<StreamingOutputCallRequest>();
    requests.send(output({ responseParameters: [{ size: 31_415 }], payload: zeros(27_182) }));
    let got = 0;
    const call = createClient(TestService, channel).fullDuplexCall(requests, { signal: controller.signal });
    await assert.rejects(
      async () => {
        for await (const { payload } of call) {
          got += payload?.body.length ?? 0;
          controller.abort();
        }
      },
      { name: "AbortError" },
    );
    assert.equal(got, 31_415);
  },

  async status_code_and_message(channel) {
    const client = createClient(TestService, channel);
    const responseStatus = { code: 2, message: "test status message" };
    const want = { code: "unknown", message: "test status message" };
    await assert.rejects(client.unaryCall(simple({ responseStatus })), want);
    await assert.rejects(Array.fromAsync(client.fullDuplexCall(from(output({ responseStatus })))), want);
  },

  async special_status_message(channel) {
    const responseStatus = { code: 2, message: special };
    await assert.rejects(createClient(TestService, channel).unaryCall(simple({ responseStatus })), {
      code: "unknown",
      message: special,
    });
  },

  async custom_metadata(channel) {
    const client = createClient(TestService, channel);
    const trailing = Uint8Array.of(0xab, 0xab, 0xab);
    const seen: Record<string, Metadata> = {};
    const options = {
      metadata: {
        "x-grpc-test-echo-initial": "test_initial_metadata_value",
        "x-grpc-test-echo-trailing-bin": trailing,
      },
      onHeaders: (metadata: Metadata) => (seen["headers"] = metadata),
      onTrailers: (metadata: Metadata) => (seen["trailers"] = metadata),
    };
    const check = (): void => {
      assert.equal(seen["headers"]?.get("x-grpc-test-echo-initial"), "test_initial_metadata_value");
      assert.deepEqual(seen["trailers"]?.getBinary("x-grpc-test-echo-trailing-bin"), trailing);
      delete seen["headers"];
      delete seen["trailers"];
    };
    await client.unaryCall(simple({ responseSize: 314_159, payload: zeros(271_828) }), options);
    check();
    const request = output({ responseParameters: [{ size: 314_159 }], payload: zeros(271_828) });
    await Array.fromAsync(client.fullDuplexCall(from(request), options));
    check();
  },

  async unimplemented_method(channel) {
    await assert.rejects(createClient(TestService, channel).unimplementedCall({}), { code: "unimplemented" });
  },

  async unimplemented_service(channel) {
    await assert.rejects(createClient(UnimplementedServiceDefinition, channel).unimplementedCall({}), {
      code: "unimplemented",
    });
  },
};
