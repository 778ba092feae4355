import { hasContainer } from "../containers/available.ts";
import { consulImage, startConsulContainer } from "../containers/consul.ts";
import type { ConsulAgent, ConsulOptions } from "./agent.ts";
import { hasConsul, startConsul } from "./start-consul.ts";

export interface TestConsul extends AsyncDisposable {
  readonly url: string;
  /** A description of the agent and its origin, for a person. */
  readonly from: string;
}

/**
 * Returns the reason why there is no Consul and how to get one, or undefined if tests can run. Pass
 * it to `skip` of a test.
 */
export function whyNoConsul(): string | undefined {
  return process.env["TEST_CONSUL_URL"] === undefined ? whyNoConsulAgent() : undefined;
}

/**
 * Returns the reason why tests cannot start an agent of their own, which they kill. An agent that
 * TEST_CONSUL_URL names is not enough for these.
 */
export function whyNoConsulAgent(): string | undefined {
  if (hasContainer(consulImage) || hasConsul()) return undefined;
  return `needs Consul: no Docker engine has the image ${consulImage} (TEST_ENGINES=docker allows pulling it) and consul is not installed; or set TEST_CONSUL_URL=http://host:port to use one that runs`;
}

/**
 * Returns a Consul for tests: that of TEST_CONSUL_URL, which concurrent tests share, or one for
 * this caller.
 */
export async function testConsul(): Promise<TestConsul> {
  const named = process.env["TEST_CONSUL_URL"];
  if (named === undefined) return await startTemporaryConsul();
  return { url: named, from: "TEST_CONSUL_URL names it", [Symbol.asyncDispose]: async () => {} };
}

/**
 * Starts one in a container if a Docker engine answers, or else the consul of this machine. It
 * belongs to the caller alone.
 */
export async function startTemporaryConsul(options: ConsulOptions = {}): Promise<ConsulAgent & TestConsul> {
  if (!hasContainer(consulImage)) return from(await startConsul(options), "consul of this machine");
  try {
    return from(await startConsulContainer(options), `container ${consulImage}`);
  } catch (error) {
    if (!hasConsul()) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return from(
      await startConsul(options),
      `consul of this machine (the container ${consulImage} did not start: ${why})`,
    );
  }
}

function from(agent: ConsulAgent, origin: string): ConsulAgent & TestConsul {
  return Object.assign(agent, { from: origin });
}
