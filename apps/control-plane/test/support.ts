import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";
import { eventually } from "@plumbline/tools-engines";
import type { Timings } from "@plumbline/xds";
import { adsService } from "../src/ads/ads-service.ts";
import { createClients } from "../src/ads/clients.ts";
import { csdsService } from "../src/ads/csds-service.ts";
import { createPublisher, type Publisher } from "../src/ads/publisher.ts";
import { RoutesDocument } from "../src/document.ts";
import { buildSnapshot } from "../src/resources/build.ts";

/** A server that answers with its name. */
export interface Backend extends AsyncDisposable {
  readonly name: string;
  readonly endpoint: string;
}

export async function startBackend(name: string): Promise<Backend> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader("content-type", "text/plain").end(name);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    name,
    endpoint: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A control plane in this process, whose resources the test sets. */
export interface TestControlPlane extends AsyncDisposable {
  readonly port: number;
  readonly publisher: Publisher;
  /** Publishes a document, as apps/control-plane does after reading it. */
  put(document: unknown): void;
}

export async function startControlPlane(timings: Partial<Timings> = {}): Promise<TestControlPlane> {
  const publisher = createPublisher();
  const clients = createClients();
  const services = [adsService({ publisher, clients }, timings, noTelemetry), csdsService(clients)];
  const server = await serve({ services, telemetry: noTelemetry }, { host: "127.0.0.1", port: 0, graceMs: 500 });
  return {
    port: server.port,
    publisher,
    put: (document) => publisher.put(buildSnapshot(RoutesDocument.parse(document), new Map())),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The result of a load. */
export interface Load extends AsyncDisposable {
  /** The number of answers by their text. */
  readonly answers: ReadonlyMap<string, number>;
  /** The first failures, in words. */
  readonly failures: readonly string[];
  /** Counts the answers from here on alone. */
  clear(): void;
}

/** Requests the URL from several loops until disposed, with pauses between a loop's requests. */
export function startLoad(url: string, { loops = 4, pauseMs = 15 } = {}): Load {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  const stop = new AbortController();
  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
        const text = await response.text();
        if (response.status === 200) answers.set(text, (answers.get(text) ?? 0) + 1);
        else failures.push(`${response.status} ${text}`);
      } catch (error) {
        failures.push(`${String(error)} ${String((error as Error).cause ?? "")}`);
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  const running = Array.from({ length: loops }, loop);
  return {
    answers,
    failures,
    clear: () => answers.clear(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(running);
    },
  };
}

export const total = (answers: ReadonlyMap<string, number>): number =>
  [...answers.values()].reduce((sum, count) => sum + count, 0);

/** Waits until the URL is answered by the text. */
export async function answeredBy(url: string, text: string, ms = 20_000): Promise<void> {
  await eventually(
    () =>
      fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
        (response) => response.text(),
        (error: unknown) => String(error),
      ),
    (answer) => answer === text,
    ms,
  );
}
