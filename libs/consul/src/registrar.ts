import { type Abortable, background, deadline, deadlineOf, retry, sleep } from "@plumbline/concurrency";
import { codeOf, isServiceError, ServiceError } from "@plumbline/errors";
import type { Address, Registrar, Registration } from "@plumbline/rpc/discovery";
import { z } from "zod";
import { type Consul, jsonOf } from "./consul.ts";
import { blockingMs, usualWaitMs } from "./watch-query.ts";

export interface ConsulRegistrarOptions {
  /** The time between two checks of a server. The agent runs them. 2 s. */
  readonly checkEveryMs?: number | undefined;
  /** If true, the gRPC check uses TLS, with the authorities that the agent trusts. */
  readonly grpcTls?: boolean | undefined;
  /** Receives each failure to verify, renew or remove a registration. */
  readonly onFault?: ((error: unknown) => void) | undefined;
  /** Called when a registration was lost, and is there again. */
  readonly onRenewed?: ((registration: Registration) => void) | undefined;
}

const usualCheckEveryMs = 2_000;
/** The longest time of the first registration without a deadline. */
const registerMs = 10_000;
/** The longest time of a deregistration, with its retries. */
const deregisterMs = 3_000;
/** The least time from an answer to the next verification, plus up to a half of it. */
const paceMs = 1_000;

/**
 * Returns a registrar at the agent of `consul`. The agent checks the server: `/readyz` of its ops
 * port, or gRPC health of its address if no ops port is given. A check is preferred to a TTL,
 * because a restart of the agent fails no check. A server whose check fails for a minute is
 * removed.
 *
 * The registration is verified every ten seconds, and at once when the agent goes away. Whenever it
 * is lost or differs it is made again, at most once a second.
 */
export function consulRegistrar(consul: Consul, options: ConsulRegistrarOptions = {}): Registrar {
  return {
    async register(registration, { signal } = {}) {
      using limit = deadline(deadlineOf(signal) === undefined ? registerMs : Number.POSITIVE_INFINITY, { signal });
      await registerFirst(consul, registration, options, limit.signal);
      const keeping = background((stop) => keep(consul, registration, options, stop), { onFailure: options.onFault });
      return {
        async [Symbol.asyncDispose]() {
          // First, so that it does not register again.
          await keeping[Symbol.asyncDispose]();
          await deregister(consul, registration.id, options);
        },
      };
    },
  };
}

async function registerFirst(
  consul: Consul,
  registration: Registration,
  options: ConsulRegistrarOptions,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown;
  const once = async (): Promise<void> => {
    try {
      await put(consul, registration, options, { signal });
    } catch (error) {
      if (!signal.aborted) failure ??= error; // The end of the time would hide it.
      throw error;
    }
  };
  try {
    await retry(once, { attempts: Number.MAX_SAFE_INTEGER, baseMs: 200, maxMs: 1_000, signal });
  } catch (error) {
    // A request whose answer was lost may have been served.
    if (signal.aborted) void deregister(consul, registration.id, options);
    const isLate = signal.aborted && (signal.reason as Error | undefined)?.name === "TimeoutError";
    if (!isLate && (signal.aborted || codeOf(error) !== "unavailable")) throw error;
    const { service, id } = registration;
    const why = failure instanceof Error ? failure.message : "no answer";
    throw new ServiceError("unavailable", `cannot register ${id} of ${service} in time: ${why}`, { cause: failure });
  }
}

/** Verifies the registration until the signal aborts. */
async function keep(
  consul: Consul,
  registration: Registration,
  options: ConsulRegistrarOptions,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/agent/service/${encodeURIComponent(registration.id)}`;
  let hash: string | undefined;
  for (;;) {
    try {
      const answer = await consul.call({
        path,
        mayBeMissing: true,
        signal,
        // The agent answers early when the registration changes. A restart cuts the connection.
        ...(hash !== undefined && { query: { hash, wait: `${usualWaitMs}ms` } }),
        ...(hash !== undefined && { timeoutMs: blockingMs(consul, usualWaitMs) }),
      });
      const isThere = answer.status !== 404 && isSame(registration, jsonOf(answer, `GET ${consul.url}${path}`));
      hash = isThere ? answer.header("x-consul-contenthash") : undefined;
      if (!isThere) {
        await put(consul, registration, options, { signal });
        options.onRenewed?.(registration);
      }
    } catch (error) {
      signal.throwIfAborted();
      hash = undefined;
      options.onFault?.(error);
    }
    await sleep(paceMs * (1 + Math.random() / 2), { signal });
  }
}

async function put(
  consul: Consul,
  { service, id, address, ops }: Registration,
  { checkEveryMs = usualCheckEveryMs, grpcTls = false }: ConsulRegistrarOptions,
  { signal }: Abortable,
): Promise<void> {
  const check =
    ops === undefined
      ? { Name: "gRPC health", GRPC: hostAndPort(address), ...(grpcTls && { GRPCUseTLS: true }) }
      : { Name: "/readyz of the ops port", HTTP: `http://${hostAndPort(ops)}/readyz` };
  const definition = {
    ID: id,
    Name: service,
    Address: address.host,
    Port: address.port,
    Check: {
      CheckID: `${id}:ready`,
      ...check,
      Interval: `${checkEveryMs}ms`,
      Timeout: `${checkEveryMs}ms`,
      // The least that Consul accepts. It counts for servers that are killed.
      DeregisterCriticalServiceAfter: "1m",
    },
  };
  const path = "/v1/agent/service/register";
  const query = { "replace-existing-checks": "true" };
  await consul.call({ method: "PUT", path, query, body: JSON.stringify(definition), signal });
}

/** Removes the registration. Never rejects: the agent removes a server that is gone by itself. */
async function deregister(consul: Consul, id: string, { onFault }: ConsulRegistrarOptions): Promise<void> {
  using limit = deadline(deregisterMs);
  const { signal } = limit;
  const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`;
  const once = async (): Promise<void> =>
    void (await consul.call({ method: "PUT", path, mayBeMissing: true, timeoutMs: deregisterMs / 2, signal }));
  try {
    await retry(once, { attempts: 3, baseMs: 200, maxMs: 500, signal, retryable: isServiceError });
  } catch (error) {
    onFault?.(error);
  }
}

const Registered = z.object({ Service: z.string(), Address: z.string(), Port: z.int() });

function isSame({ service, address }: Registration, there: unknown): boolean {
  const { data } = Registered.safeParse(there);
  return data?.Service === service && data.Address === address.host && data.Port === address.port;
}

function hostAndPort({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
