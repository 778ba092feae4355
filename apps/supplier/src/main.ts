/**
 * The supplier as a process. Settings: SUPPLIER_HOST, _PORT, _LATENCY_MS, _JITTER_MS,
 * _FAILURE_RATE, _GRACE_MS.
 */
import { once } from "node:events";
import { SettingsError } from "./settings.ts";
import { startSupplier } from "./start-supplier.ts";

const stop = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);

try {
  const port = number("PORT") ?? 8090;
  if (!Number.isInteger(port) || port > 65_535) throw new SettingsError(["SUPPLIER_PORT must be a port, 0 to 65535"]);
  await using supplier = await startSupplier({
    host: process.env.SUPPLIER_HOST ?? "127.0.0.1",
    port,
    graceMs: number("GRACE_MS") ?? 5_000,
    settings: {
      latencyMs: number("LATENCY_MS") ?? 0,
      jitterMs: number("JITTER_MS") ?? 0,
      failureRate: number("FAILURE_RATE") ?? 0,
    },
  });
  console.log(`supplier answers quotes at ${supplier.url}/v1/quotes/tea?quantity=1`);
  await stop;
} catch (error) {
  console.error(`supplier: ${explained(error)}`);
  process.exitCode = 1;
}

function number(name: string): number | undefined {
  const text = process.env[`SUPPLIER_${name}`];
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= 0)) throw new SettingsError([`SUPPLIER_${name} must be a number, found ${JSON.stringify(text)}`]);
  return value;
}

function explained(error: unknown): string {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === "EADDRINUSE") return `port ${port} is taken: end the other process or set SUPPLIER_PORT`;
  return error instanceof SettingsError ? error.message : String((error as Error)?.stack ?? error);
}
