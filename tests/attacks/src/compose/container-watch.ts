import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Container, docker, parseBytes } from "@plumbline/tools-stack";

/** The memory of containers, sampled each second, and those that died or were killed for memory. */
export class ContainerWatch implements AsyncDisposable {
  readonly #peaks = new Map<string, number>();
  readonly #deaths: string[] = [];
  readonly #children: readonly ReturnType<typeof spawn>[];

  constructor(containers: readonly Container[]) {
    const services = new Map(containers.map(({ Name, Service }) => [Name, Service]));
    const stats = spawn("docker", ["stats", "--format", "json", ...services.keys()], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // docker clears the screen between samples.
    createInterface({ input: stats.stdout }).on("line", (line) => {
      const { Name = "", MemUsage = "" } = JSON.parse(/\{.*\}/.exec(line)?.[0] ?? "{}") as Record<string, string>;
      const service = services.get(Name);
      // docker prints "--" before its first sample and after the last one.
      if (service === undefined || MemUsage.startsWith("--")) return;
      this.#peaks.set(service, Math.max(this.peakOf(service), parseBytes(MemUsage.split("/")[0] ?? "")));
    });
    const events = spawn(
      "docker",
      [
        "events",
        "--filter",
        "event=oom",
        "--filter",
        "event=die",
        "--format",
        "{{.Action}} {{.Actor.Attributes.name}}",
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    createInterface({ input: events.stdout }).on("line", (line) => {
      const [action, name = ""] = line.split(" ");
      const service = services.get(name);
      if (service !== undefined)
        this.#deaths.push(action === "oom" ? `${service} ran out of memory` : `${service} died`);
    });
    this.#children = [stats, events];
  }

  /** Returns bytes, without the cache of files that can be dropped: the largest sample so far. */
  peakOf(service: string): number {
    return this.#peaks.get(service) ?? 0;
  }

  /** Returns one sentence for each container that died since the last call. */
  takeDeaths(): string[] {
    return this.#deaths.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null) continue;
      // docker does not end at SIGTERM while it prints samples.
      child.kill("SIGKILL");
      await once(child, "close");
    }
  }
}

/**
 * Returns the addresses that a container on network edge must not reach, and those of the gateway
 * there, which it must.
 */
export async function addressesOf(
  project: string,
  containers: readonly Container[],
  ports: Readonly<Record<string, readonly number[]>>,
): Promise<{ readonly forbidden: string[]; readonly open: string[] }> {
  const edge = `${project}_edge`;
  const running = containers.filter(({ State }) => State === "running");
  const inspected = JSON.parse(await docker(["inspect", ...running.map(({ ID }) => ID)])) as readonly {
    readonly Name: string;
    readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
  }[];
  const forbidden: string[] = [];
  const open: string[] = [];
  for (const { Name, Service, Publishers } of running) {
    const { Networks = {} } = inspected.find((one) => one.Name === `/${Name}`)?.NetworkSettings ?? {};
    const own = ports[Service];
    if (own === undefined) throw new Error(`${Service}: expected its ports in the table of attacks on networks`);
    for (const [network, { IPAddress }] of Object.entries(Networks)) {
      const isDoor = network === edge && Service === "gateway";
      for (const port of own) (isDoor ? open : forbidden).push(`${IPAddress}:${port}`);
    }
    if (Service !== "gateway") forbidden.push(...own.map((port) => `${Service}:${port}`));
    // Published ports belong to this machine's loopback, not to its address on the network.
    const [{ Gateway: host } = { Gateway: "" }] = JSON.parse(
      await docker(["network", "inspect", "--format", "{{json .IPAM.Config}}", edge]),
    ) as { readonly Gateway: string }[];
    forbidden.push(...(Publishers ?? []).map(({ PublishedPort }) => `${host}:${PublishedPort}`));
  }
  return { forbidden: [...new Set(forbidden)], open };
}
