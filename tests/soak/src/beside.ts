import { steadyNow } from "@plumbline/concurrency";
import { Connection, dial, HeaderField } from "@plumbline/http2";
import { connect, createClient, Metadata, type TransportName } from "@plumbline/rpc";
import { Conformance, pathOf, transport as transportOf } from "@plumbline/rpc/internals";
import { noTelemetry } from "@plumbline/telemetry";
import { proxyTo } from "@plumbline/tools-engines";
import type { Expected, Outcomes } from "./outcomes.ts";
import type { Ports } from "./servers.ts";

/** Events beside the steady load, one after another: clients and connections that come and go. */
export interface Beside {
  /** Makes a client, uses it, and closes it with a call in flight. */
  readonly reborn: () => Promise<void>;
  /** Sends a compressed request, from a client that is not ours. */
  readonly compressed: () => Promise<void>;
  /** Closes a connection while a call is in flight. */
  readonly lost: () => Promise<void>;
  /** Keeps a connection whose other side has become silent. */
  readonly silent: () => Promise<void>;
}

export function besideExpected(): Readonly<Record<string, Expected>> {
  return {
    "a new client": { must: ["ok"] },
    "its call when it is let go": { must: ["cancelled"] },
    "a client that was let go": { must: ["unavailable"] },
    "a compressed request": { must: ["refused with 13"] },
    "a connection that is lost": { must: ["unavailable"] },
    "the call after the loss": { must: ["ok"] },
    "a peer that falls silent": { must: ["unavailable"] },
  };
}

/** The deadline of every call here. Waiting calls end earlier, by the event. */
const timeoutMs = 10_000;
const path = pathOf(Conformance, Conformance.methods.unary);

export function beside(transport: TransportName, ports: Ports, outcomes: Outcomes): Beside {
  return {
    async reborn() {
      const channel = await connect(`127.0.0.1:${ports.still}`, noTelemetry, { transport, timeoutMs });
      const client = createClient(Conformance, channel);
      for (let call = 0; call < 3; call++) {
        await outcomes.count("a new client", async () => void (await client.unary("hello")));
      }
      const waiting = outcomes.count("its call when it is let go", async () => void (await client.unary("wait")));
      await channel[Symbol.asyncDispose]();
      await waiting;
      await outcomes.count("a client that was let go", async () => void (await client.unary("hello")));
    },

    compressed: () => outcomes.count("a compressed request", () => sendCompressed(ports.still)),

    async lost() {
      await using proxy = await proxyTo(`http://127.0.0.1:${ports.still}`);
      const target = new URL(proxy.url).host;
      await using channel = await connect(target, noTelemetry, { transport, timeoutMs });
      const client = createClient(Conformance, channel);
      await outcomes.count("a new client", async () => void (await client.unary("hello")));
      const waiting = outcomes.count("a connection that is lost", async () => void (await client.unary("wait")));
      proxy.cut();
      await waiting;
      proxy.restore();
      await outcomes.count("the call after the loss", async () => {
        await channel.ready({ signal: AbortSignal.timeout(timeoutMs) });
        await client.unary("hello");
      });
    },

    async silent() {
      await using proxy = await proxyTo(`http://127.0.0.1:${ports.still}`);
      const target = new URL(proxy.url).host;
      await using channel = transportOf(transport).connect({
        target,
        maxMessageBytes: 1_024,
        keepaliveMs: 500,
        keepaliveTimeoutMs: 2_000,
      });
      const call = async (text: string): Promise<void> => {
        const outgoing = { path, metadata: new Metadata(), deadline: steadyNow() + timeoutMs };
        await channel.unary(outgoing, Buffer.from(text));
      };
      await outcomes.count("a new client", () => call("hello"));
      proxy.freeze();
      await outcomes.count("a peer that falls silent", () => call("wait"));
    },
  };
}

/** Resolves with the status of the refusal. */
async function sendCompressed(port: number): Promise<string> {
  const status = Promise.withResolvers<string>();
  const request = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    "grpc-encoding": "gzip",
  };
  const take = (fields: readonly HeaderField[]): void => {
    const found = fields.find(({ name }) => name === "grpc-status");
    if (found !== undefined) status.resolve(`refused with ${found.value}`);
  };
  const connection = new Connection(dial({ host: "127.0.0.1", port }), "client", {
    onSettings() {
      if (!connection.hasRoom || connection.size > 0) return;
      const fields = Object.entries(request).map(([name, value]) => new HeaderField(name, value));
      const stream = connection.open(fields, false, {
        onHeaders: take,
        onTrailers: take,
        onData() {},
        onReset: status.reject,
        onDrain() {},
      });
      stream.sendData(Buffer.from([1, 0, 0, 0, 1, 0]), true);
    },
    onClose: (reason) => status.reject(reason ?? new Error("the server closed the connection")),
  });
  try {
    return await status.promise;
  } finally {
    connection.destroy();
  }
}
