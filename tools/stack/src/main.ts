/** `npm start`: the whole system on this machine until Ctrl-C. */
import { join, relative, resolve } from "node:path";
import { aborted, sleep } from "@plumbline/concurrency";
import { findEtcd, howToGetEtcd } from "@plumbline/tools-engines";
import { choice, flag, hasColors, Progress, runCommand, text, UsageError, whole } from "./command/index.ts";
import { defaultPorts, type Ports, portsFrom } from "./ports.ts";
import { prettyLine, transportIn } from "./processes/log-lines.ts";
import { proportionalSetSize } from "./processes/memory.ts";
import { openProcesses, type ProcessStack } from "./processes/open-processes.ts";
import { dataFolder, givenTransport, transports } from "./processes/programs.ts";
import { ownServices } from "./services.ts";

const idleMs = 5_000;
/** The most memory of all processes together, from the second start on. */
const mostMebibytes = 512;
const root = resolve(import.meta.dirname, "../../..");

const spec = {
  name: "npm start",
  about:
    "Runs Postgres, the services and a supplier on this machine until Ctrl-C. The data is kept for the next start.",
  options: {
    fresh: flag("begins without the data of earlier runs"),
    kafka: flag("carries the events on Apache Kafka; needs Java 17 and Maven"),
    etcd: flag("keeps settings and feature flags in etcd: one on PATH, else a container"),
    "no-auth": flag("asks for no access tokens: everybody on this machine may call everything"),
    plain: flag("calls between the services are in the clear, for grpcurl and the like"),
    transport: choice("carrier of the calls; PLUMBLINE_TRANSPORT where not given", transports),
    "ports-from": whole("takes all ports in a row from this one", { least: 1_024, most: 65_000 }),
    data: text("folder of the data (.plumbline/data)", { takes: "FOLDER" }),
    measure: flag("prints the seconds to ready and the memory when idle, then stops; too much is exit code 1"),
  },
  notes: ["Exit codes: 0 stopped, 1 not started, 2 wrong command line. `npm run doctor` looks for what is missing."],
};

const noTokens = `
WARNING: --no-auth asks for no access tokens. Everybody on this machine may call everything, as any customer.
`;

function banner(stack: ProcessStack, ports: Ports, tokens: string | false, carriers: Carriers): string {
  const base = `http://localhost:${ports.gateway}`;
  const token = tokens === false ? "" : `-H @${join(relative("", tokens), "ada")} `;
  const customer = tokens === false ? '"customerId":"me",' : "";
  const others = ownServices
    .filter(({ name }) => name !== "gateway")
    .map(({ name }) => `${name} ${ports[`${name}Ops` as keyof Ports]}`)
    .join(", ");
  return `
Ready after ${(stack.readyAfterMs / 1_000).toFixed(1)} s.

  API and a page to try it   ${base}/docs
  OpenAPI document           ${base}/openapi.json
  metrics and health         http://localhost:${ports.gatewayOps}/metrics, /healthz, /readyz (${others})${carrierLine(carriers)}${settingsLine(stack)}${tokens === false ? "" : issuerLine(ports, tokens)}

Try:

  curl ${base}/v1/greetings/World
  curl ${token}-X POST ${base}/v1/orders -H 'content-type: application/json' -d '{${customer}"items":[{"sku":"tea","quantity":2}]}'
  curl ${token}'${base}/v1/orders${tokens === false ? "?customerId=me" : ""}'
${putLine(stack)}${tokens === false ? noTokens : ""}
Then, in another terminal: npm run demo${ports.gateway === defaultPorts.gateway ? "" : ` -- --url ${base}`}. Ctrl-C stops everything and keeps the data.
`;
}

/** The transport that each service runs, by its own word. */
type Carriers = ReadonlyMap<string, string>;

function carrierLine(carriers: Carriers): string {
  const [first, ...others] = new Set(carriers.values());
  if (first === undefined) return "";
  const other = transports.find((name) => name !== first);
  const each = [...carriers].map(([name, carrier]) => `${name} ${carrier}`).join(", ");
  return `\n  calls between services     ${others.length > 0 ? each : `${first} (npm start -- --transport ${other} takes the other)`}`;
}

function settingsLine({ etcd }: ProcessStack): string {
  if (etcd === undefined) return "";
  return `\n  settings and flags         ${etcd.url}: plumbline/config/SERVICE.yaml, plumbline/flags/SERVICE.json`;
}

function issuerLine({ issuer }: Ports, tokens: string): string {
  return `\n  access tokens              ${join(relative("", tokens), "ada")}, bob, operator; issuer http://127.0.0.1:${issuer} (for development)`;
}

function putLine({ etcd }: ProcessStack): string {
  if (etcd === undefined) return "";
  return `  ${etcd.etcdctl} put plumbline/config/gateway.yaml < config/gateway.yaml\n`;
}

/** Returns the table, and false if the processes together take too much. */
function measured(stack: ProcessStack): { readonly text: string; readonly isWithin: boolean } {
  const rows = [...stack.programs.values()].map(
    (program) => [program.name, proportionalSetSize(program.pid ?? 0)] as const,
  );
  const engines = [
    ["postgres", stack.postgresPid] as const,
    ["kafka", stack.kafkaPid] as const,
    ["etcd", stack.etcd?.pid] as const,
  ];
  const running = engines
    .filter(([, pid]) => pid !== undefined)
    .map(([name, pid]) => [name, proportionalSetSize(pid ?? 0)] as const);
  const all = [...rows, ...running];
  const mebibytes = (bytes: number | undefined) =>
    bytes === undefined ? "not known here" : `${Math.round(bytes / 2 ** 20)} MiB`;
  const total = all.every(([, bytes]) => bytes !== undefined)
    ? all.reduce((sum, [, bytes]) => sum + (bytes ?? 0), 0)
    : undefined;
  const isWithin = total === undefined || total <= mostMebibytes * 2 ** 20;
  const lines = [
    `ready after ${(stack.readyAfterMs / 1_000).toFixed(1)} s; proportional set size after ${idleMs / 1_000} s idle:`,
    ...all.map(([name, bytes]) => `  ${name.padEnd(10)}${mebibytes(bytes)}`),
    `  ${"together".padEnd(10)}${mebibytes(total)}; at most ${mostMebibytes} MiB`,
  ];
  if (!isWithin) lines.push("The first start of a checkout takes more, since Node compiles every module: try again.");
  return { text: lines.join("\n"), isWithin };
}

const stop = new AbortController();
let signals = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    stop.abort();
    // npm passes Ctrl-C on, so the terminal's own comes twice. A third is a person who does not
    // wait.
    if (++signals > 2) process.exit(1);
  });
}

await runCommand(spec, async ({ values }) => {
  const { signal } = stop;
  const from = values["ports-from"];
  const ports = from === undefined ? defaultPorts : portsFrom(from);
  const names: string[] = [];
  const carriers = new Map<string, string>();
  const etcd = values.etcd ? findEtcd() : undefined;
  if (values.etcd && etcd === undefined) throw new UsageError(`--etcd finds no etcd: ${howToGetEtcd}`);
  const dataDir = values.data ?? dataFolder(root);
  // Beside the data of a folder that was given, so that two stacks do not share the files.
  const tokens =
    !values["no-auth"] && (values.data === undefined ? resolve(root, ".plumbline") : join(dataDir, "tokens"));
  using progress = new Progress();
  progress.line("Starting Postgres, the services and a supplier…");
  try {
    await using stack = await openProcesses({
      root,
      signal,
      ports,
      dataDir,
      fresh: values.fresh,
      adapter: values.kafka ? "kafka" : "postgres",
      etcd,
      tokens,
      plain: values.plain,
      transport: values.transport ?? givenTransport(),
      onLine: (name, line) => {
        if (!names.includes(name)) names.push(name);
        const carrier = transportIn(line);
        if (carrier !== undefined) carriers.set(name, carrier);
        progress.line(prettyLine(name, line, names.indexOf(name), hasColors(process.stdout)));
      },
      onWait: (what) => progress.show(`waiting for ${what}`),
    });
    // A service that is ready has written its line, which may still be on its way.
    for (let waits = 0; waits < 40 && carriers.size < ownServices.length; waits++) await sleep(25);
    progress.line(banner(stack, ports, tokens, carriers));
    if (values.measure) {
      await Promise.race([sleep(idleMs), aborted(signal)]);
      const { text: report, isWithin } = measured(stack);
      console.log(report);
      return isWithin ? 0 : 1;
    }
    await aborted(signal);
    console.log("Stopping: services first, then Postgres. Data is kept; npm start -- --fresh begins without it.");
    return 0;
  } catch (error) {
    // Ctrl-C while starting: what ran has stopped, and there is nothing to explain.
    if (signal.aborted) process.exit(130);
    throw error;
  }
});
