import { containers } from "./compose.ts";
import { docker, dockerLines, dockerShown } from "./docker.ts";
import { type MemoryUse, memoryBudget, memoryReport, parseBytes } from "./memory-report.ts";

/** The port of the gateway inside its container. */
const gatewayPort = 8080;

export async function up(options: readonly string[], print: (text: string) => void): Promise<number> {
  const began = performance.now();
  await dockerShown(["compose", "build"]);
  const built = performance.now();
  await dockerShown(["compose", "up", "--detach", "--wait", ...options]);
  const healthy = performance.now();

  const running = (await containers()).filter((container) => container.State === "running");
  const { text, ok } = memoryReport(await memoryUses(running.map((container) => container.ID)));
  print(`\n${text}`);
  print(`\nbuilt after ${seconds(built - began)}, healthy ${seconds(healthy - built)} later`);
  print(`budget: limits of one container each add to at most ${memoryBudget / 1_048_576} MiB`);
  for (const { Service, Publishers } of running) {
    if (Service !== "gateway") continue;
    const port = Publishers?.find(({ TargetPort }) => TargetPort === gatewayPort)?.PublishedPort;
    print(`gateway: http://127.0.0.1:${port}`);
  }
  // Replicas were asked for; the budget is for one of each.
  const isScaled = new Set(running.map(({ Service }) => Service)).size < running.length;
  return ok || isScaled ? 0 : 1;
}

async function memoryUses(ids: readonly string[]): Promise<MemoryUse[]> {
  const stats = await dockerLines<{ ID: string; Name: string; MemUsage: string }>([
    "stats",
    "--no-stream",
    "--format",
    "json",
    ...ids,
  ]);
  const limits = await dockerLines<{ name: string; memory: number }>([
    "inspect",
    "--format",
    '{"name":"{{slice .Name 1}}","memory":{{.HostConfig.Memory}}}',
    ...ids,
  ]);
  const uses = stats.map(async ({ ID, Name, MemUsage }) => ({
    name: Name,
    charged: parseBytes(MemUsage.split("/")[0] ?? ""),
    limit: limits.find(({ name }) => name === Name)?.memory ?? 0,
    rss: await rss(ID),
  }));
  return (await Promise.all(uses)).toSorted((a, b) => a.name.localeCompare(b.name));
}

async function rss(id: string): Promise<number> {
  const [, ...processes] = (await docker(["top", id, "-o", "pid,rss"])).trim().split("\n");
  return processes.reduce((total, line) => total + Number(line.trim().split(/\s+/)[1]) * 1_024, 0);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
