// Logs a few lines in a separate process. MODE selects its end.
import { startTelemetry } from "../../src/index.ts";

const collector = process.env["COLLECTOR"];
const telemetry = startTelemetry({ service: "talk", otlpEndpoint: collector, otlpLogs: true, flushMs: 200 });
telemetry.metrics.counter("a_total", "A.", []).inc({});
await telemetry.metrics.text(); // Starts all observers of the process.
telemetry.logger.info("first");
switch (process.env["MODE"] ?? "") {
  case "dispose":
    telemetry.logger.info("x".repeat(1_000), { long: "y".repeat(30_000) });
    await telemetry[Symbol.asyncDispose]();
    break;
  case "spans":
    for (let span = 0; span < 600; span++) telemetry.tracer.span("span", {}, () => telemetry.logger.info("in a span"));
    await telemetry[Symbol.asyncDispose]();
    break;
  case "exit":
    for (let line = 0; line < 100; line++) telemetry.logger.info("line", { line });
    process.exit(1);
    break;
  case "reader gone":
    for (let line = 0; line < 1_000; line++) {
      telemetry.logger.info("line", { line });
      await new Promise((resolve) => setTimeout(resolve));
    }
    console.error("survived");
}
