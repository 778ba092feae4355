import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { sleep } from "@plumbline/concurrency";
import { freePorts, hasContainer } from "@plumbline/tools-engines";
import { credentialsOf, trustAuthority, useCredentials } from "../identity.ts";
import type { Transport } from "../processes/programs.ts";
import { serviceRow } from "../services.ts";
import type { Scale, Stack } from "../stack.ts";
import { builtImages, type Container, containers } from "./compose.ts";
import { docker, root } from "./docker.ts";
import { isClean } from "./end-report.ts";

/** The time until everything must be healthy on a busy machine. */
const healthyS = 300;
/** The gateways that may run at once: one published port for each. */
const gatewayPorts = 4;
/** The image in which the services run: Node, without a shell. */
export const runtimeImage = "gcr.io/distroless/nodejs26-debian13:nonroot";
const bases = ["node:26-bookworm-slim", runtimeImage, "postgres:18", "apache/kafka:4.4.0", "redis:8"];

/** The profiles of deploy/compose that tests start: the images that they add, and their files. */
const profiles = {
  consul: { image: "hashicorp/consul:1.14.11", files: ["consul.env"] },
  envoy: { image: "envoyproxy/envoy:v1.40.0", files: ["envoy.env", "envoy-services.env"] },
};

export type ComposeProfile = keyof typeof profiles;

/** Returns why the stack cannot run in containers here; false when it can. */
export function whyNoCompose(profile?: ComposeProfile): string | false {
  const needed = profile === undefined ? bases : [...bases, profiles[profile].image];
  const missing = needed.filter((image) => !hasContainer(image));
  if (missing.length === 0) return false;
  return `no Docker engine that has ${missing.join(", ")}: TEST_ENGINES=docker npm test lets it pull them`;
}

export interface ComposeOptions {
  /**
   * The name of the compose project. A stack of that name that an earlier run left is removed
   * first.
   */
  readonly project: string;
  /** The tag of the images. With one they are removed at the end. */
  readonly tag?: string;
  /** A profile, with the variables of its files in deploy/compose. */
  readonly profile?: ComposeProfile | undefined;
  /** The transport of calls, if it is not the default. */
  readonly transport?: Transport;
  /** The folder of the passwords, if it is not that of `.env`. */
  readonly secrets?: string;
}

/** The stack of docker-compose.yml, with what only this adapter knows. */
export interface ComposeStack extends Stack {
  readonly kind: "compose";
  /** The environment that makes `docker compose` mean this stack. */
  readonly variables: Readonly<Record<string, string>>;
  /** The address of the issuer. This process trusts its certificate. */
  readonly issuer: string;
  /** The file of the authority that signed it. */
  readonly authority: string;
  /** Runs `docker compose` with this stack and returns what it printed. */
  compose(...args: readonly string[]): Promise<string>;
}

/**
 * Builds the images and starts the stack of docker-compose.yml from no data, as a project and on
 * ports of its own. Resolves when all containers are healthy. Disposing removes it with its data.
 */
export async function openCompose({
  project,
  tag,
  profile,
  transport,
  secrets,
}: ComposeOptions): Promise<ComposeStack> {
  const exported = mkdtempSync(join(tmpdir(), "plumbline-exports-"));
  const removeExported = async () => rmSync(exported, { recursive: true, force: true });
  const ports = (await freePorts(gatewayPorts + 7)).map(String);
  const [postgres = "", kafka = "", redis = "", supplier = "", consul = "", issuerPort = "", envoy = ""] =
    ports.slice(gatewayPorts);
  const files = profile === undefined ? [] : profiles[profile].files;
  const variables = {
    ...Object.assign({}, ...files.map((file) => parseEnv(readFileSync(join(root, "deploy/compose", file), "utf8")))),
    COMPOSE_PROJECT_NAME: project,
    COMPOSE_PROGRESS: "quiet",
    ...(tag !== undefined && { PLUMBLINE_TAG: tag }),
    ...(transport !== undefined && { PLUMBLINE_TRANSPORT: transport }),
    ...(secrets !== undefined && { PLUMBLINE_SECRETS: secrets }),
    HOST_PORTS_GATEWAY: `${ports[0]}-${ports[gatewayPorts - 1]}`,
    HOST_PORT_POSTGRES: postgres,
    HOST_PORT_KAFKA: kafka,
    HOST_PORT_REDIS: redis,
    HOST_PORT_SUPPLIER: supplier,
    HOST_PORT_CONSUL: consul,
    HOST_PORT_ENVOY: envoy,
    HOST_PORT_ISSUER: issuerPort,
    PLUMBLINE_EXPORTS: exported,
    PLUMBLINE_CALLS_SUBNET: subnetOf(Number(issuerPort)),
  };
  const compose = (...args: readonly string[]) => docker(["compose", ...args], variables);
  const down = async () => void (await compose("down", "--volumes", "--remove-orphans", "--timeout", "2"));
  const removeImages = async () => void (await docker(["image", "rm", ...(await builtImages(variables)).values()]));
  const up = async (scale: Scale = {}) => {
    const replicas = Object.entries(scale).flatMap(([service, count]) => ["--scale", `${service}=${count}`]);
    await compose("up", "--detach", "--no-recreate", "--wait", "--wait-timeout", `${healthyS}`, ...replicas);
  };
  const running = async (service: string) =>
    (await containers(variables)).filter(({ Service, State }) => Service === service && State === "running");
  const addresses = async (service: string) =>
    (await running(service)).flatMap(({ Publishers }) => {
      const port = Publishers?.find(({ TargetPort }) => TargetPort === serviceRow(service).port)?.PublishedPort;
      return port === undefined || port === 0 ? [] : [`http://127.0.0.1:${port}`];
    });

  await using opening = new AsyncDisposableStack();
  opening.defer(removeExported);
  if (tag !== undefined) opening.defer(removeImages);
  await compose("build");
  opening.defer(down);
  await down();
  try {
    await up();
  } catch (error) {
    const logs = await compose("logs", "--tail", "20").catch(String);
    throw new Error(`the stack did not become healthy; its last lines:\n${logs}`, { cause: error });
  }
  const authority = join(exported, "ca.pem");
  await trustAuthority(authority);
  const issuer = `https://localhost:${issuerPort}`;
  const credentials = credentialsOf(issuer);
  const gateways = async () => {
    const urls = await addresses("gateway");
    for (const url of urls) useCredentials(url, credentials);
    return urls;
  };
  await gateways();
  const opened = opening.move();
  let closing: Promise<void> | undefined;
  return {
    kind: "compose",
    killable: (await compose("config", "--services")).trim().split("\n"),
    variables,
    issuer,
    authority,
    compose,
    gateways,
    supplier: async () => (await addresses("supplier"))[0] as string,
    replicas: async (service) => (await running(service)).map(({ Name }) => ({ service, name: Name })),
    // Docker takes this for a stop by hand: the container stays down whatever its restart policy.
    kill: async (service) => void (await compose("kill", service)),
    restart: async ({ name }) => {
      await docker(["stop", name]);
      const ended = (await containers(variables)).find(({ Name }) => Name === name);
      await docker(["start", name]);
      await healthy(name);
      if (ended === undefined) throw new Error(`there is no container "${name}"`);
      return endedOf(ended);
    },
    up,
    stop: async () => {
      await compose("stop");
      return (await containers(variables)).map(endedOf);
    },
    logs: (service, lines = 20) => compose("logs", "--no-color", "--tail", `${lines}`, service),
    // A signal and the end of a command may both ask for the end: each waits until the stack is
    // gone.
    [Symbol.asyncDispose]: () => (closing ??= opened.disposeAsync()),
  };
}

/** Returns a subnet that no other stack of this machine has, as no other has the port. */
function subnetOf(port: number): string {
  return `10.${192 + (port >> 10)}.${(port >> 2) & 255}.${(port & 3) << 6}/26`;
}

async function healthy(name: string): Promise<void> {
  const until = performance.now() + healthyS * 1_000;
  while ((await docker(["inspect", "--format", "{{.State.Health.Status}}", name])).trim() !== "healthy") {
    if (performance.now() > until) throw new Error(`${name} was not healthy ${healthyS} s after its restart`);
    await sleep(200);
  }
}

function endedOf(container: Container) {
  const { Service, Name, ExitCode } = container;
  return { service: Service, name: Name, code: ExitCode, clean: isClean(container) };
}
