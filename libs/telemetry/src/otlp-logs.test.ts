import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import test from "node:test";
import { Memory } from "../test/memory.ts";
import { startTelemetry } from "./start-telemetry.ts";

/** Starts a collector of log lines that answers with `status`. */
async function logCollector(status = 200) {
  const bodies: string[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    if (request.url === "/v1/logs") bodies.push(body.toString("latin1"));
    response.writeHead(request.url === "/v1/logs" ? status : 200).end();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: () => bodies.join(""),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function start(url: string, otlpLogs = true) {
  const out = new Memory();
  return { out, ...startTelemetry({ service: "orders", destination: out, otlpEndpoint: url, otlpLogs }) };
}

test("with otlpLogs each line is also sent to the collector, with its fields and the ids of its span", async () => {
  await using collector = await logCollector();
  const { logger, tracer, metrics, ...telemetry } = start(collector.url);
  const spanId = tracer.span("s", {}, (span) => {
    logger.info("order placed", { orderId: "o-1" });
    return span.spanId;
  });
  logger.debug("below the level");
  await telemetry[Symbol.asyncDispose]();
  for (const part of [
    "order placed",
    "orderId",
    "o-1",
    "service.name",
    Buffer.from(spanId, "hex").toString("latin1"),
  ]) {
    assert.ok(collector.text().includes(part), part);
  }
  assert.ok(!collector.text().includes("below the level"));
  assert.match((await metrics.text()).body, /^telemetry_exported_logs_total\{outcome="sent"\} 1$/m);
});

test("without otlpLogs no line is sent and there is no metric of it", async () => {
  await using collector = await logCollector();
  const { logger, metrics, ...telemetry } = start(collector.url, false);
  logger.info("order placed");
  await telemetry[Symbol.asyncDispose]();
  assert.equal(collector.text(), "");
  assert.doesNotMatch((await metrics.text()).body, /telemetry_exported_logs_total/);
});

test("beyond 2,048 waiting lines a line is counted as lost, and still on standard output", async () => {
  await using collector = await logCollector();
  const { logger, metrics, out, ...telemetry } = start(collector.url);
  for (let line = 0; line < 2_050; line++) logger.info("line", { line });
  assert.match((await metrics.text()).body, /^telemetry_exported_logs_total\{outcome="lost"\} 2$/m);
  assert.equal(out.last["line"], 2_049);
  await telemetry[Symbol.asyncDispose]();
  assert.match((await metrics.text()).body, /^telemetry_exported_logs_total\{outcome="sent"\} 2048$/m);
});

test("lines that the collector refuses are counted, with one warning", async () => {
  await using collector = await logCollector(503);
  const { logger, metrics, out, ...telemetry } = start(collector.url);
  logger.info("line");
  await telemetry[Symbol.asyncDispose]();
  assert.equal(out.last["message"], "log lines were lost: the collector did not accept them");
  assert.match((await metrics.text()).body, /^telemetry_exported_logs_total\{outcome="lost"\} 2$/m);
});
