import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Container, docker, parseBytes } from "@plumbline/tools-stack";

/** The memory of containers, sampled each second, and those that died or were killed for memory. */
export class ContainerWatch implements AsyncDisposable {
  readonly #services: ReadonlyMap<string, string>;
  readonly #peaks = new Map<string, number>();
  readonly #deaths: string[] = [];
  readonly #children = new Set<ChildProcess>();
  #isOver = false;

  constructor(containers: readonly Container[]) {
    this.#services = new Map(containers.map(({ Name, Service }) => [Name, Service]));
    // docker clears the screen between samples.
    this.#follow(["stats", "--format", "json", ...this.#services.keys()], (line) => {
      const { Name, MemUsage = "" } = JSON.parse(/\{.*\}/.exec(line)?.[0] ?? "{}") as Readonly<Record<string, string>>;
      const service = this.#services.get(Name ?? "");
      // docker prints "--" before its first sample and after the last one.
      if (service === undefined || MemUsage.startsWith("--")) return;
      this.#peaks.set(service, Math.max(this.peakOf(service), parseBytes(MemUsage.split("/")[0] ?? "")));
    });
    const kinds = ["--filter", "event=oom", "--filter", "event=die"];
    this.#follow(["events", ...kinds, "--format", "{{.Action}} {{.Actor.Attributes.name}}"], (line) => {
      const [action, name = ""] = line.split(" ");
      const service = this.#services.get(name);
      if (service !== undefined)
        this.#deaths.push(action === "oom" ? `${service} ran out of memory` : `${service} died`);
    });
  }

  /** Reads what a docker command prints until this is disposed. One that ends is started again. */
  #follow(args: readonly string[], onLine: (line: string) => void): void {
    const child = spawn("docker", args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#children.add(child);
    createInterface({ input: child.stdout }).on("line", onLine);
    child.on("close", () => {
      this.#children.delete(child);
      // On a busy machine docker stats gives up when the first sample is late.
      if (!this.#isOver) setTimeout(() => this.#isOver || this.#follow(args, onLine), 500);
    });
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
    this.#isOver = true;
    const closed = [...this.#children].map((child) => once(child, "close"));
    // docker does not end at SIGTERM while it prints samples.
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(closed);
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
