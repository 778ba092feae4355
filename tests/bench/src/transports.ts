/**
 * Measures the CPU time per unary call of server and client, each a process of its own:
 * `npm run compare -w libs/rpc`. "bare" is the transport alone; "full" has `serve` and
 * `createClient` around it, without telemetry. It is a closed loop with interleaved rounds. The
 * figures are medians, in microseconds of user and system time.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Places, steadyNow } from "@plumbline/concurrency";
import { connect, createClient, Metadata, serve, service, type TransportName, transportNames } from "@plumbline/rpc";
import { Conformance, ok, pathOf, transport } from "@plumbline/rpc/internals";
import { noTelemetry } from "@plumbline/telemetry";
import { runCommand, whole } from "@plumbline/tools-stack/command";
import { eachRound } from "./each-round.ts";

const none = new Metadata();
const [role, name, mode, port, given] = process.argv.slice(2);
/** Calls at once; a child is given the number by its parent. */
let concurrency = Number(given ?? 32);
const modes = ["bare", "full"];
const request = Buffer.from("a request of thirty-two letters.");
const { unary } = Conformance.methods;
const path = pathOf(Conformance, unary);

if (role === "server") await runServer(name as TransportName);
else if (role === "client") await runClient(name as TransportName);
else {
  await runCommand(
    {
      name: "npm run compare -w libs/rpc",
      about: "Measures the CPU time of unary calls, of server and client, over each transport.",
      options: {
        rounds: whole("rounds of each pair, interleaved", { least: 1, most: 100, preset: 5 }),
        calls: whole("calls of a round", { least: 1, most: 10_000_000, preset: 20_000 }),
        concurrency: whole("calls at once", { least: 1, most: 10_000, preset: 32 }),
      },
    },
    async ({ values }) => {
      concurrency = values.concurrency;
      await compare(values.rounds, values.calls);
    },
  );
}

async function runServer(name: TransportName): Promise<void> {
  const common = { host: "127.0.0.1", port: 0 };
  if (mode === "full") {
    const echo = service({ ...Conformance, methods: { unary } }, { unary: async (text: string) => text });
    const { port } = await serve({ services: [echo], telemetry: noTelemetry }, { ...common, transport: name });
    process.send?.({ port });
  } else {
    const times = { keepaliveMs: 60_000, keepaliveTimeoutMs: 1e4, defaultTimeoutMs: 3e4, receiveMs: 3e4, stallMs: 3e4 };
    const places = new Places({ inAll: 1_000, perPeer: 1_000 });
    const limits = { maxMessageBytes: 4e6, maxConcurrentStreams: 1_000, memory: {}, places, ...times };
    const { port } = await transport(name).listen({ ...common, ...limits }, [
      {
        path,
        kind: "unary",
        accept(call) {
          const [message] = call.requests as [Uint8Array];
          void call.send(message).then(() => call.finish(ok, none));
        },
      },
    ]);
    process.send?.({ port });
  }
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.on("disconnect", () => process.exit());
}

async function runClient(name: TransportName): Promise<void> {
  const target = `127.0.0.1:${port}`;
  let one: () => Promise<unknown>;
  if (mode === "full") {
    const client = createClient(Conformance, await connect(target, noTelemetry, { transport: name }));
    one = () => client.unary("a request of thirty-two letters.");
  } else {
    const channel = transport(name).connect({
      target,
      maxMessageBytes: 4e6,
      keepaliveMs: 3e4,
      keepaliveTimeoutMs: 1e4,
    });
    one = () => channel.unary({ path, metadata: none, deadline: steadyNow() + 30_000 }, request);
  }
  async function measure(count: number): Promise<void> {
    const before = process.cpuUsage();
    const start = performance.now();
    let left = count;
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (left-- > 0) await one();
      }),
    );
    const { user, system } = process.cpuUsage(before);
    process.send?.({ us: user + system, ms: performance.now() - start });
  }
  process.on("message", (count: number) => void measure(count));
  process.on("disconnect", () => process.exit());
  process.send?.({});
}

async function compare(rounds: number, calls: number): Promise<void> {
  const pairs = modes.flatMap((mode) =>
    transportNames.flatMap((server) => transportNames.map((client) => ({ mode, server, client }))),
  );
  const running = [];
  for (const { mode, server, client } of pairs) {
    const one = start("server", server, mode);
    const [{ port }] = (await once(one, "message")) as [{ port: number }];
    const two = start("client", client, mode, `${port}`, `${concurrency}`);
    await once(two, "message");
    running.push({ pair: `${mode} ${client} -> ${server}`, server: one, client: two, figures: [] as number[][] });
  }
  for (const round of eachRound(rounds, "transports", -1)) {
    for (const { server, client, figures } of running) {
      const before = await ask<NodeJS.CpuUsage>(server, 0);
      const { us, ms } = await ask<{ us: number; ms: number }>(client, calls);
      const after = await ask<NodeJS.CpuUsage>(server, 0);
      const serverUs = after.user + after.system - before.user - before.system;
      if (round >= 0) figures.push([serverUs / calls, us / calls, calls / (ms / 1_000)]);
    }
  }
  console.log(
    `client -> server                server us   client us   calls/s   (median of ${rounds}, ${calls} calls, ${concurrency} at once)`,
  );
  for (const { pair, server, client, figures } of running) {
    const median = (index: number): number =>
      figures.map((row) => row[index] ?? 0).sort((a, b) => a - b)[rounds >> 1] ?? 0;
    console.log(
      pair.padEnd(32) +
        [median(0).toFixed(1), median(1).toFixed(1), median(2).toFixed(0)].map((text) => text.padEnd(12)).join(""),
    );
    server.disconnect();
    client.disconnect();
  }
}

function start(...args: string[]): ChildProcess {
  return fork(import.meta.filename, args, { execArgv: ["-C", "source"] });
}

async function ask<T>(child: ChildProcess, message: number): Promise<T> {
  child.send(message);
  const [answer] = (await once(child, "message")) as [T];
  return answer;
}
