import { sleep } from "@plumbline/concurrency";
import { type Interceptor, type RpcServer, type ServerCall, serve, service, type TransportName } from "@plumbline/rpc";
import { Conformance } from "@plumbline/rpc/internals";
import { noTelemetry } from "@plumbline/telemetry";
import type { Gate } from "./gate.ts";
import { startOddServer } from "./odd-server.ts";
import type { Pace } from "./pace.ts";
import { handlers, maxMessageBytes } from "./service.ts";

/** The ports of the servers of a soak. */
export interface Ports {
  readonly replicas: readonly [number, number];
  readonly flaky: number;
  /** The port of a server that is never replaced. */
  readonly still: number;
  readonly odd: number;
}

export interface ServersOptions {
  readonly transport: TransportName;
  readonly pace: Pace;
  /** Replacing pauses at this gate while a sample is taken, with every server up. */
  readonly gate: Gate;
  readonly interceptors: readonly Interceptor<ServerCall>[];
}

export interface Servers extends AsyncDisposable {
  readonly ports: Ports;
  /** Resolves when no server is being replaced. Call it only while the gate is closed. */
  atRest(): Promise<void>;
}

/** Starts the servers of a soak. They drain and restart on their ports until they are disposed. */
export async function startServers({ transport, pace, gate, interceptors }: ServersOptions): Promise<Servers> {
  const stop = new AbortController();
  const { signal } = stop;
  const running = new Map<number, RpcServer>();
  const start = async (port: number): Promise<number> => {
    const server = await serve(
      { services: [service(Conformance, handlers)], telemetry: noTelemetry, interceptors },
      {
        transport,
        port,
        host: "127.0.0.1",
        maxMessageBytes,
        graceMs: 10_000,
        keepaliveMs: 1_000,
        maxConnectionAgeMs: pace.connectionAgeMs,
        maxConnectionAgeGraceMs: 10_000,
      },
    );
    running.set(server.port, server);
    return server.port;
  };
  const odd = await startOddServer();
  const ports: Ports = {
    replicas: [await start(0), await start(0)],
    flaky: await start(0),
    still: await start(0),
    odd: odd.port,
  };

  const replacing = new Set<number>();
  /** Drains the server of a port, and starts another on it after `goneMs`. */
  const replace = async (port: number, goneMs: number): Promise<void> => {
    await gate.through();
    if (signal.aborted) return;
    replacing.add(port);
    await running.get(port)?.drain();
    await sleep(goneMs);
    await start(port);
    replacing.delete(port);
  };
  const forever = async (everyMs: number, each: (count: number) => Promise<void>): Promise<void> => {
    for (let count = 0; !signal.aborted; count++) {
      await sleep(everyMs, { signal }).catch(() => {});
      await each(count);
    }
  };
  const loops = [
    forever(pace.replaceMs, (count) => replace(ports.replicas[count % 2 === 0 ? 0 : 1], 0)),
    forever(2 * pace.flakyMs, () => replace(ports.flaky, pace.flakyMs)),
  ];
  return {
    ports,
    async atRest() {
      while (replacing.size > 0) await sleep(10);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      gate.open();
      await Promise.all(loops);
      await Promise.all([odd[Symbol.asyncDispose](), ...[...running.values()].map((server) => server.drain())]);
    },
  };
}
