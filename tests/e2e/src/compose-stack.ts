import { freePorts, hasContainer } from "@plumbline/tools-engines";
import { builtImages, containers, docker } from "@plumbline/tools-stack";

const bases = [
  "node:26-bookworm-slim",
  "gcr.io/distroless/nodejs26-debian13:nonroot",
  "postgres:18",
  "apache/kafka:4.4.0",
  "redis:8",
];

/** How long everything may take to be healthy once it is built, on a busy machine. */
const healthyS = 300;

/** Why the stack cannot run in containers here; false when it can. */
export function whyNoCompose(): string | false {
  const missing = bases.filter((image) => !hasContainer(image));
  if (missing.length === 0) return false;
  return `no Docker engine that has ${missing.join(", ")}: TEST_ENGINES=docker npm test lets it pull them`;
}

export interface ComposeStack extends AsyncDisposable {
  /** Addresses of the gateways, now. */
  gateways(): Promise<string[]>;
}

/**
 * The stack of docker-compose.yml as a project, images and ports of its own, built and healthy. Disposing removes all of
 * it. Meanwhile this process's environment names the project for every `docker compose`.
 */
export async function composeStack(): Promise<ComposeStack> {
  const [first = 0] = await freePorts(6);
  Object.assign(process.env, {
    COMPOSE_PROJECT_NAME: `plumbline-e2e-${process.pid}`,
    PLUMBLINE_TAG: `e2e-${process.pid}`,
    HOST_PORTS_GATEWAY: `${first}-${first + 1}`,
    HOST_PORT_POSTGRES: String(first + 2),
    HOST_PORT_KAFKA: String(first + 3),
    HOST_PORT_REDIS: String(first + 4),
    HOST_PORT_SUPPLIER: String(first + 5),
  });
  const remove = async () => {
    await docker(["compose", "down", "--volumes", "--timeout", "2"]);
    await docker(["image", "rm", ...(await builtImages()).values()]);
  };
  try {
    await docker(["compose", "up", "--build", "--detach", "--wait", "--wait-timeout", `${healthyS}`]);
  } catch (error) {
    const logs = await docker(["compose", "logs", "--tail", "20"]).catch(String);
    await remove().catch(() => {}); // What failed first is what is told.
    throw new Error(`the stack did not get healthy; its last lines:\n${logs}`, { cause: error });
  }
  return { gateways, [Symbol.asyncDispose]: remove };
}

async function gateways(): Promise<string[]> {
  const found = (await containers()).filter(({ Service, State }) => Service === "gateway" && State === "running");
  return found.map(({ Publishers }) => `http://127.0.0.1:${Publishers?.[0]?.PublishedPort}`);
}
