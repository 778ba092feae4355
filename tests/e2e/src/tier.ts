import { authorizationFor, type Entry, givenTransport, ownServices, settingsPrefix } from "@plumbline/tools-stack";
import { type Receiver, startReceiver } from "./otlp/receiver.ts";
import { type Running, runStack } from "./stack.ts";

/** The services that have metrics, in the order of `E2E_OPS_URLS`. */
export const services = ownServices.map(({ name }) => name);

/** A system whose telemetry is tested: the same tests run on each. */
export interface Tier extends AsyncDisposable {
  readonly base: string;
  readonly supplier: string;
  /** The address of each service's /metrics. */
  readonly ops: Readonly<Record<string, string>>;
  readonly receiver: Receiver;
  /**
   * True if it tries twice, the second time after 2 s, so that a test can wait for a dead letter.
   */
  readonly retriesSoon: boolean;
  /** The output of its programs, if this process started them. */
  readonly lines?: Running["lines"];
}

/**
 * Returns a running system if the environment names one: `E2E_BASE_URL` (the gateway),
 * `E2E_SUPPLIER_URL`, `E2E_OPS_URLS` (one for each of `services`, separated by commas), and
 * `E2E_OTLP_PORT`, the port in this process to which its services send spans and logs.
 */
export function givenTier(environment: NodeJS.ProcessEnv = process.env): (() => Promise<Tier>) | undefined {
  const { E2E_BASE_URL: base, E2E_SUPPLIER_URL: supplier, E2E_OPS_URLS, E2E_OTLP_PORT } = environment;
  if (base === undefined) return undefined;
  const urls = E2E_OPS_URLS?.split(",") ?? [];
  if (supplier === undefined || urls.length !== services.length || E2E_OTLP_PORT === undefined) {
    throw new Error(`E2E_BASE_URL needs E2E_SUPPLIER_URL, E2E_OTLP_PORT, and E2E_OPS_URLS for ${services.join(", ")}`);
  }
  return async () => {
    await authorizationFor(base);
    const receiver = await startReceiver({ host: "0.0.0.0", port: Number(E2E_OTLP_PORT) });
    const ops = Object.fromEntries(services.map((name, index) => [name, urls[index] ?? ""]));
    return {
      base,
      supplier,
      ops,
      receiver,
      retriesSoon: false,
      [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
    };
  };
}

/** Returns the settings with which every service sends its spans and logs to a receiver. */
export function telemetryTo(receiver: Receiver): Readonly<Record<string, string>> {
  return Object.fromEntries(
    services.flatMap((name) => {
      const prefix = `${settingsPrefix(name)}_TELEMETRY_OTLP`;
      return [
        [`${prefix}_ENDPOINT`, receiver.endpoint],
        [`${prefix}_LOGS`, "true"],
      ];
    }),
  );
}

/**
 * Starts the embedded stack, which sends its telemetry here. The bundles must exist: `nx test`
 * builds them.
 */
export async function embeddedTier(entry: Entry, transport = givenTransport()): Promise<Tier> {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await startReceiver());
  const retries = { WORKER_RETRIES_ATTEMPTS: "1", WORKER_RETRIES_DELAYS_MS: "[2000]" };
  const running = stack.use(
    await runStack({ environment: { ...telemetryTo(receiver), ...retries }, entry, transport }),
  );
  const { ports } = running;
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const owned = stack.move();
  return {
    base: running.base,
    supplier: at(ports.supplier),
    ops: Object.fromEntries(
      ownServices.map(({ name }) => [name, new URL(running.stack.programs.get(name)?.program.ready ?? "").origin]),
    ),
    receiver,
    retriesSoon: true,
    lines: running.lines,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
