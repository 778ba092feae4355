import { hasContainer } from "../containers/available.ts";
import { envoyImage, startEnvoyContainer } from "../containers/envoy.ts";
import { EngineError } from "../engine-error.ts";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-ports.ts";
import { type EnvoyOptions, envoyBootstrap, type RunningEnvoy } from "./bootstrap.ts";
import { hasEnvoy, startEnvoy } from "./start-envoy.ts";

/** An Envoy of the caller alone. */
export interface TestEnvoy extends RunningEnvoy {
  /** A description of the program and its origin, for a person. */
  readonly from: string;
  /** Asks the admin port, such as "/clusters". */
  admin(path: string): Promise<string>;
  /** Returns a counter or gauge by its full name, and 0 for one that does not exist. */
  stat(name: string): Promise<number>;
}

/**
 * Returns the reason why there is no Envoy and how to get one, or undefined if tests can run. Pass
 * it to `skip` of a test.
 */
export function whyNoEnvoy(): string | undefined {
  if (hasContainer(envoyImage) || hasEnvoy()) return undefined;
  return `needs Envoy: no Docker engine has the image ${envoyImage} (TEST_ENGINES=docker allows pulling it) and envoy is not installed`;
}

/** Starts an Envoy in a container if a Docker engine answers, or else the envoy of this machine. */
export async function startTestEnvoy(options: EnvoyOptions): Promise<TestEnvoy> {
  const adminPort = await freePort();
  const config = envoyBootstrap(adminPort, options);
  const inContainer = hasContainer(envoyImage);
  const running = inContainer ? await startEnvoyContainer(config, options.folder) : await startEnvoy(config);
  const admin = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`, { signal: AbortSignal.timeout(5_000) });
    return await answer.text();
  };
  try {
    await eventually(
      () => admin("/server_info").catch(() => ""),
      (text) => text !== "",
      20_000,
    );
  } catch (cause) {
    const log = await running.log();
    await running[Symbol.asyncDispose]();
    const end = log.split("\n").slice(-20).join("\n");
    throw new EngineError("start_failed", `Envoy did not answer on its admin port ${adminPort}:\n${end}`, { cause });
  }
  return {
    from: inContainer ? `container ${envoyImage}` : "envoy of this machine",
    admin,
    async stat(name) {
      const text = await admin(`/stats?filter=^${name.replaceAll(".", "\\.")}$`);
      return Number(/: (\d+)\s*$/.exec(text)?.[1] ?? 0);
    },
    log: () => running.log(),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
