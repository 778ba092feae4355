import assert from "node:assert/strict";
import type { ClientHttp2Session, ServerHttp2Stream } from "node:http2";
import { ServiceError } from "@plumbline/errors";
import type { Metadata } from "../metadata.ts";
import { type Case, Conformance, kinds, onceEach, type TestContext } from "./test-context.ts";

const path = (method: string): string => `/${Conformance.fullName}/${method}`;

export function framed(text: string | Buffer, flag = 0, length = text.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, typeof text === "string" ? Buffer.from(text) : text]);
}

const whole = framed("abc");
const cut = { "within a message": framed("abc", 0, 10), "within the octets before one": Buffer.from([0, 0, 0]) };

export interface RawAnswer {
  readonly [field: string]: unknown;
  readonly body: string;
}

/** Sends a request with any fields and octets, and resolves with all fields of the answer. */
export async function send(
  session: ClientHttp2Session,
  method: string,
  body: Buffer,
  fields: Record<string, string | string[]> = {},
): Promise<RawAnswer> {
  const own = { ":method": "POST", ":path": path(method), "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...own, ...fields }, { endStream: false });
  const answer: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  stream.on("response", (got) => Object.assign(answer, got));
  stream.on("trailers", (got) => Object.assign(answer, got));
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("error", () => {});
  stream.end(body);
  await new Promise<void>((resolve) => stream.once("close", resolve));
  return { ...answer, body: Buffer.concat(parts).toString() };
}

/** Opens a server of the pairing, and a session to it that sends what it likes. */
export async function raw(context: TestContext, handlers: Parameters<TestContext["serve"]>[0] = {}) {
  const { port } = await context.serve(handlers);
  return await context.session(port);
}

/** Answers each request with `headers` and `body`, and with success. */
export function answering(body: Buffer, headers: Record<string, string> = {}): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.on("error", () => {});
    stream.resume();
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(body);
  };
}

/** Octets that honest peers never send, and the answers that gRPC's documents ask for. */
export const wireCases: readonly Case[] = [
  ...Object.entries(cut).map(
    ([where, rest]): Case => ({
      name: `requests that end ${where} are internal, for a unary call and for a stream`,
      async run(context) {
        const session = await raw(context);
        assert.equal((await send(session, "ClientStream", whole))["grpc-status"], "0");
        for (const method of ["ClientStream", "BidiStream", "Unary"]) {
          const answer = await send(session, method, Buffer.concat([whole, rest]));
          assert.equal(answer["grpc-status"], "13", method);
        }
        const answer = await send(session, "Unary", rest);
        assert.deepEqual(
          [answer["grpc-status"], decodeURIComponent(String(answer["grpc-message"]))],
          ["13", "the request ends within a message"],
        );
      },
    }),
  ),
  {
    name: "a message that claims to be compressed, or has an unknown flag, is internal",
    async run(context) {
      let calls = 0;
      const session = await raw(context, { unary: async () => `${calls++}` });
      for (const flag of [1, 2, 0x80, 0xff]) {
        const answer = await send(session, "Unary", framed("abc", flag));
        assert.equal(answer["grpc-status"], "13", `flag ${flag}`);
      }
      assert.equal(calls, 0);
    },
  },
  {
    name: "requests that are no gRPC calls are refused by HTTP, and reach no handler",
    async run(context) {
      let calls = 0;
      const session = await raw(context, { unary: async () => `${calls++}` });
      for (const method of ["GET", "DELETE", "PUT"]) {
        assert.equal((await send(session, "Unary", Buffer.alloc(0), { ":method": method }))[":status"], 405, method);
      }
      for (const type of ["application/grpc-web", "application/grpc-web+proto", "application/grpc+foo", "text/plain"]) {
        assert.equal((await send(session, "Unary", whole, { "content-type": type }))[":status"], 415, type);
      }
      assert.equal(calls, 0);
      for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]) {
        assert.equal((await send(session, "Unary", whole, { "content-type": type }))["grpc-status"], "0", type);
      }
    },
  },
  {
    name: "a malformed grpc-timeout is internal, and one longer than timers are is none",
    async run(context) {
      const session = await raw(context);
      for (const timeout of ["1", "S", "x1S", "-1S", "1.5S", "123456789S", "1 S", "1s"]) {
        const answer = await send(session, "Unary", whole, { "grpc-timeout": timeout });
        assert.equal(answer["grpc-status"], "13", timeout);
      }
      const longest = await send(session, "Unary", whole, { "grpc-timeout": "99999999H" });
      assert.equal(longest["grpc-status"], "0");
    },
  },
  {
    name: "bytes in metadata that are sent several times all arrive, in order",
    async run(context) {
      const got: string[][] = [];
      const session = await raw(context, {
        unary: async (request, { metadata }) => {
          got.push(metadata.getAllBinary("x-bin").map((one) => Buffer.from(one).toString()));
          return request;
        },
      });
      const base64 = ["one", "two", "three"].map((text) => Buffer.from(text).toString("base64"));
      for (const value of [base64, base64.join(","), base64.join(", ")]) {
        assert.equal((await send(session, "Unary", whole, { "x-bin": value }))["grpc-status"], "0");
      }
      assert.deepEqual(
        got,
        [1, 2, 3].map(() => ["one", "two", "three"]),
      );
    },
  },
  {
    name: "bytes are sent without padding, and a success without a message",
    async run(context) {
      const session = await raw(context, {
        unary: async (request, call) => {
          call.setHeader("x-head-bin", new Uint8Array([1]));
          call.setTrailer("x-trail-bin", new Uint8Array([1, 2]));
          const details = [{ typeUrl: "type.googleapis.com/shop.v1.Hint", value: new Uint8Array([3]) }];
          if (request === "abc") return request;
          throw new ServiceError("aborted", "no", { details });
        },
      });
      const good = await send(session, "Unary", whole);
      assert.deepEqual([good["x-head-bin"], good["x-trail-bin"]], ["AQ", "AQI"]);
      assert.deepEqual([good["grpc-status"], good["grpc-message"] ?? ""], ["0", ""]);
      const bad = await send(session, "Unary", framed("abcd"));
      assert.deepEqual([bad["x-head-bin"], bad["x-trail-bin"]], ["AQ", "AQI"]);
      assert.equal(bad["grpc-message"], "no");
      assert.match(String(bad["grpc-status-details-bin"]), /^[A-Za-z0-9+/]+$/);
    },
  },
  ...kinds.map(
    (kind): Case => ({
      name: `headers that are set before an error of ${kind} arrive`,
      async run(context) {
        const fail = (call: { setHeader(name: string, value: string): void }): never => {
          call.setHeader("x-hint", "set");
          throw new Error("failed");
        };
        const { client } = await context.open({
          unary: async (_, call) => fail(call),
          clientStream: async (_, call) => fail(call),
          async *serverStream(_, call) {
            yield fail(call);
          },
          async *bidiStream(_, call) {
            yield fail(call);
          },
        });
        let headers: Metadata | undefined;
        await assert.rejects(onceEach(client)[kind]({ onHeaders: (got) => (headers = got) }), { code: "internal" });
        assert.equal(headers?.get("x-hint"), "set");
      },
    }),
  ),
  ...Object.entries(cut).map(
    ([where, rest]): Case => ({
      name: `a response that ends ${where} is internal, whatever the kind of call`,
      async run(context) {
        const port = await context.rawServer(answering(Buffer.concat([whole, rest])));
        const client = context.client(await context.connect(port));
        for (const kind of kinds) await assert.rejects(onceEach(client)[kind](), { code: "internal" }, kind);
      },
    }),
  ),
  {
    name: "a response that claims to be compressed, although its encoding is identity, is internal",
    async run(context) {
      const port = await context.rawServer(answering(framed("abc", 1)));
      const client = context.client(await context.connect(port));
      for (const kind of kinds) await assert.rejects(onceEach(client)[kind](), { code: "internal" }, kind);
    },
  },
  {
    name: "a second answer to a call that has one is unimplemented, at once",
    async run(context) {
      const port = await context.rawServer(answering(Buffer.concat([whole, whole])));
      const client = context.client(await context.connect(port, { timeoutMs: 60_000 }));
      for (const kind of ["unary", "clientStream"] as const) {
        await assert.rejects(onceEach(client)[kind](), { code: "unimplemented" }, kind);
      }
    },
  },
];
