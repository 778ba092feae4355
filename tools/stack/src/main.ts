/**
 * `npm start`: the whole system on this machine until Ctrl-C. Options: --fresh (start with no data), --kafka (events on Apache Kafka), --transport grpc-js|http2 (what carries the calls), --ports-from N (all
 * ports in a row from N), --data FOLDER, --measure (print seconds to ready and memory when idle, then stop).
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { aborted, sleep } from "@plumbline/concurrency";
import { defaultPorts, type Ports, portsFrom } from "./ports.ts";
import { prettyLine } from "./processes/log-lines.ts";
import { proportionalSetSize } from "./processes/memory.ts";
import { openProcesses, type ProcessStack } from "./processes/open-processes.ts";
import { dataFolder, givenTransport } from "./processes/programs.ts";

const idleMs = 5_000;
const color = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      fresh: { type: "boolean", default: false },
      kafka: { type: "boolean", default: false },
      measure: { type: "boolean", default: false },
      "ports-from": { type: "string" },
      transport: { type: "string" },
    },
  });
  const ports = values["ports-from"] === undefined ? defaultPorts : movedPorts(Number(values["ports-from"]));
  const root = resolve(import.meta.dirname, "../../..");
  const names: string[] = [];

  console.log("Starting Postgres, the services and a supplier…");
  await using stack = await openProcesses({
    root,
    signal,
    ports,
    dataDir: values.data ?? dataFolder(root),
    fresh: values.fresh,
    adapter: values.kafka ? "kafka" : "postgres",
    transport:
      values.transport === undefined ? givenTransport() : givenTransport({ PLUMBLINE_TRANSPORT: values.transport }),
    onLine: (name, line) => {
      if (!names.includes(name)) names.push(name);
      console.log(prettyLine(name, line, names.indexOf(name), color));
    },
  });
  console.log(banner(stack, ports));
  if (values.measure) {
    await Promise.race([sleep(idleMs), aborted(signal)]);
    console.log(memoryTable(stack));
    return;
  }
  await aborted(signal);
  console.log("Stopping: services first, then Postgres. Data is kept; npm start -- --fresh begins anew.");
}

function movedPorts(first: number): Ports {
  if (!Number.isInteger(first) || first < 1_024 || first > 65_000) {
    throw new Error("--ports-from takes a whole number from 1024 to 65000, 20000 for one");
  }
  return portsFrom(first);
}

function banner(stack: ProcessStack, ports: Ports): string {
  const base = `http://localhost:${ports.gateway}`;
  return `
Ready after ${(stack.readyAfterMs / 1_000).toFixed(1)} s.

  API and a page to try it   ${base}/docs
  OpenAPI document           ${base}/openapi.json
  metrics and health         http://localhost:${ports.gatewayOps}/metrics, /healthz, /readyz (orders ${ports.ordersOps}, worker ${ports.workerOps}, greeter ${ports.greeterOps})

Try:

  curl ${base}/v1/greetings/World
  curl -X POST ${base}/v1/orders -H 'content-type: application/json' -d '{"customerId":"me","items":[{"sku":"tea","quantity":2}]}'
  curl '${base}/v1/orders?customerId=me'

Then, in another terminal: npm run demo${ports.gateway === defaultPorts.gateway ? "" : ` -- --url ${base}`}. Ctrl-C stops everything and keeps the data.
`;
}

function memoryTable(stack: ProcessStack): string {
  const rows = [...stack.programs.values()].map(
    (program) => [program.name, proportionalSetSize(program.pid ?? 0)] as const,
  );
  const engines = [["postgres", stack.postgresPid] as const, ["kafka", stack.kafkaPid] as const];
  const running = engines
    .filter(([, pid]) => pid !== undefined)
    .map(([name, pid]) => [name, proportionalSetSize(pid ?? 0)] as const);
  const all = [...rows, ...running];
  const mebibytes = (bytes: number | undefined) =>
    bytes === undefined ? "not known here" : `${Math.round(bytes / 2 ** 20)} MiB`;
  const total = all.every(([, bytes]) => bytes !== undefined)
    ? all.reduce((sum, [, bytes]) => sum + (bytes ?? 0), 0)
    : undefined;
  return [
    `ready after ${(stack.readyAfterMs / 1_000).toFixed(1)} s; proportional set size after ${idleMs / 1_000} s idle:`,
    ...all.map(([name, bytes]) => `  ${name.padEnd(10)}${mebibytes(bytes)}`),
    `  ${"together".padEnd(10)}${mebibytes(total)}`,
  ].join("\n");
}

const stop = new AbortController();
let signals = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    stop.abort();
    // npm passes Ctrl-C on, so the terminal's own comes twice; a third is a person who will not wait. What runs ends with us.
    if (++signals > 2) process.exit(1);
  });
}
try {
  await main(stop.signal);
} catch (error) {
  if (stop.signal.aborted) process.exit(130); // Ctrl-C while starting: what ran has stopped, and there is nothing to explain.
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
