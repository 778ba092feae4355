import { sleep } from "@plumbline/concurrency";
import { freePorts } from "@plumbline/tools-engines";
import { type Container, containers, docker } from "@plumbline/tools-stack";

const ports = { gateway: 8080, supplier: 8090 } as const;
/** How long everything may take to be healthy, on a busy machine. */
const healthyS = 180;

/** The stack of docker-compose.yml under a project name and on ports of its own. Disposing removes it with its data. */
export interface Stack extends AsyncDisposable {
  /** Where its gateways listen, one address for each replica. A restart may change a port: ask again. */
  gateways(): Promise<readonly string[]>;
  supplier(): Promise<string>;
  /** The running containers of a service. */
  replicas(service: string): Promise<readonly Container[]>;
  kill(service: string): Promise<void>;
  /** SIGTERM, then SIGKILL after its grace, and a new start; resolves once it is healthy. */
  restart(container: Container): Promise<void>;
  /** Starts a service that was killed, and waits until it is healthy. */
  start(service: string): Promise<void>;
  /** Starts everything, as many replicas as asked for, and waits until all are healthy. */
  up(scale?: Readonly<Record<string, number>>): Promise<void>;
}

/** Builds the images and starts everything from no data. */
export async function openStack(): Promise<Stack> {
  const [first, ...others] = await freePorts(8);
  // docker compose reads its choices from the environment, as a user of it would set them.
  Object.assign(process.env, {
    COMPOSE_PROJECT_NAME: "plumbline-chaos",
    COMPOSE_PROGRESS: "quiet",
    HOST_PORTS_GATEWAY: `${first}-${others[2]}`,
    HOST_PORT_POSTGRES: others[3],
    HOST_PORT_KAFKA: others[4],
    HOST_PORT_REDIS: others[5],
    HOST_PORT_SUPPLIER: others[6],
  });
  const down = async () => void (await docker(["compose", "down", "--volumes", "--remove-orphans", "--timeout", "1"]));
  const upWith = async (...options: readonly string[]) =>
    void (await docker([
      "compose",
      "up",
      "--detach",
      "--no-recreate",
      "--wait",
      "--wait-timeout",
      `${healthyS}`,
      ...options,
    ]));
  const replicas: Stack["replicas"] = async (service) =>
    (await containers()).filter(({ Service, State }) => Service === service && State === "running");
  const addresses = async (service: keyof typeof ports) =>
    (await replicas(service)).flatMap(({ Publishers }) => {
      const port = Publishers?.find(({ TargetPort }) => TargetPort === ports[service])?.PublishedPort;
      return port === undefined || port === 0 ? [] : [`http://127.0.0.1:${port}`];
    });

  await using opening = new AsyncDisposableStack();
  await docker(["compose", "build"]);
  opening.defer(down);
  await down(); // What a run that was killed left.
  await upWith();
  const opened = opening.move();
  let closing: Promise<void> | undefined;
  return {
    gateways: () => addresses("gateway"),
    supplier: async () => (await addresses("supplier"))[0] as string,
    replicas,
    kill: async (service) => void (await docker(["compose", "kill", service])),
    restart: async ({ ID, Name }) => {
      await docker(["restart", ID]);
      const until = performance.now() + healthyS * 1_000;
      while ((await docker(["inspect", "--format", "{{.State.Health.Status}}", ID])).trim() !== "healthy") {
        if (performance.now() > until) throw new Error(`${Name} was not healthy ${healthyS} s after its restart`);
        await sleep(200);
      }
    },
    start: (service) => upWith("--no-deps", service),
    up: (scale = {}) =>
      upWith(...Object.entries(scale).flatMap(([service, count]) => ["--scale", `${service}=${count}`])),
    // A signal and the end of the command may both ask: each waits until it is gone.
    [Symbol.asyncDispose]: () => (closing ??= opened.disposeAsync()),
  };
}
