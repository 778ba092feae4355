import { hostname } from "node:os";
import { type Abortable, background, fullJitter, sleep, within } from "@plumbline/concurrency";
import type { Registrar, Registration } from "@plumbline/rpc/discovery";
import type { Logger } from "@plumbline/telemetry";
import type { OpsPort } from "./open-ops.ts";
import { type ConsulSettings, type EtcdSettings, openConsulClient, openEtcdClient } from "./open-stores.ts";
import { withdrawMs } from "./split-grace-period.ts";

/** The section `registration` of a service's settings. */
export interface RegistrationSettings {
  readonly registry: "none" | "etcd" | "consul";
  readonly service?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly leaseSeconds: number;
  readonly check: "grpc" | "readyz";
  readonly etcd: EtcdSettings;
  readonly consul: ConsulSettings;
}

/** A server that listens, and the settings that it listens by. */
export interface Listening {
  readonly name: string;
  readonly ops: Pick<OpsPort, "health" | "port">;
  readonly port: number;
  readonly rpc: { readonly host: string; readonly tls?: unknown };
}

/** A server in a registry. Disposing it closes the connection to the registry. */
export interface Registered extends AsyncDisposable {
  /** Removes the server from the registry. Never rejects, and takes two seconds at most. */
  withdraw(): Promise<void>;
}

const backoff = { baseMs: 1_000, maxMs: 5_000 };
/** A failure that repeats is logged again after this time. */
const remindMs = 60_000;

/**
 * Registers a server once it is ready, and again whenever the registry has lost it. Without a
 * registry nothing happens. A registry that is away does not hold the service: each failure is
 * logged, and tried again. Rejects only if the client of the registry cannot be opened.
 */
export async function keepRegistered(
  settings: RegistrationSettings,
  listening: Listening,
  logger: Logger,
): Promise<Registered> {
  if (settings.registry === "none") return { withdraw: async () => {}, [Symbol.asyncDispose]: async () => {} };
  await using opened = new AsyncDisposableStack();
  const notices = new Notices(logger, settings.registry);
  const usesTls = listening.rpc.tls !== undefined;
  const registrar = await openRegistrar(settings, { opened, logger, notices, usesTls });
  const registration = registrationOf(settings, listening);
  const registering = background((signal) => register(registrar, registration, { listening, notices, signal }), {
    onFailure: (error) => notices.failed(error),
  });
  const owned = opened.move();
  let withdrawn: Promise<void> | undefined;

  async function withdraw(): Promise<void> {
    let failure: unknown;
    notices.leave();
    try {
      await within(Promise.resolve(registering[Symbol.asyncDispose]()), { ms: withdrawMs, what: "the removal" });
      failure = notices.leave();
    } catch (error) {
      failure = error;
    }
    if (!notices.wasRegistered) return;
    const { service, id } = registration;
    const fields = { registry: settings.registry, service, id };
    if (failure === undefined) logger.info("deregistered", fields);
    // The registry drops it once it is not renewed, or its checks fail.
    else logger.warn("not deregistered; the registry drops it by itself", { ...fields, error: messageOf(failure) });
  }

  return {
    withdraw: () => (withdrawn ??= withdraw()),
    async [Symbol.asyncDispose]() {
      await (withdrawn ??= withdraw());
      await owned.disposeAsync();
    },
  };
}

interface Parts {
  /** Takes what must be closed. */
  readonly opened: AsyncDisposableStack;
  readonly logger: Logger;
  readonly notices: Notices;
  readonly usesTls: boolean;
}

async function openRegistrar(settings: RegistrationSettings, parts: Parts): Promise<Registrar> {
  const { notices } = parts;
  const hooks = {
    onFault: (error: unknown) => notices.failed(error),
    onRenewed: (registration: Registration) => notices.renewed(registration),
  };
  if (settings.registry === "etcd") {
    const etcd = await openEtcdClient(settings.etcd, parts);
    const { etcdRegistrar } = await import("@plumbline/etcd");
    return etcdRegistrar(etcd, { ...hooks, ttlSeconds: settings.leaseSeconds });
  }
  const consul = await openConsulClient(settings.consul, parts);
  const { consulRegistrar } = await import("@plumbline/consul");
  return consulRegistrar(consul, { ...hooks, grpcTls: parts.usesTls });
}

function registrationOf(settings: RegistrationSettings, { name, ops, port, rpc }: Listening): Registration {
  const host = settings.host ?? (isWildcard(rpc.host) ? hostname() : rpc.host);
  const address = { host, port: settings.port ?? port };
  const service = settings.service ?? name;
  return {
    service,
    // The same after a restart at the same address, so that it replaces what a crash left.
    id: `${service}-${host}-${address.port}`,
    address,
    ...(settings.check === "readyz" && { ops: { host, port: ops.port } }),
  };
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "";
}

interface Work extends Abortable {
  readonly listening: Listening;
  readonly notices: Notices;
  readonly signal: AbortSignal;
}

/** Keeps a registration until the signal aborts, and removes it then. */
async function register(
  registrar: Registrar,
  registration: Registration,
  { listening, notices, signal }: Work,
): Promise<void> {
  for await (const status of listening.ops.health.watch({ signal })) if (status === "SERVING") break;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await using _registered = await registrar.register(registration, { signal });
      notices.registered(registration);
      await sleep(Number.POSITIVE_INFINITY, { signal });
    } catch (error) {
      if (signal.aborted) return;
      notices.failed(error);
    }
    await sleep(backoff.baseMs / 2 + fullJitter(attempt, backoff), { signal });
  }
}

/** The log of a registration. A failure that repeats is logged once a minute. */
class Notices {
  readonly #logger: Logger;
  readonly #registry: string;
  #wasRegistered = false;
  #last: { readonly text: string; readonly at: number } | undefined;
  #isLeaving = false;
  #failure: unknown;

  constructor(logger: Logger, registry: string) {
    this.#logger = logger;
    this.#registry = registry;
  }

  get wasRegistered(): boolean {
    return this.#wasRegistered;
  }

  registered(registration: Registration): void {
    this.#wasRegistered = true;
    this.#last = undefined;
    const { host, port } = registration.address;
    this.#logger.info("registered", { ...this.#fields(registration), address: `${host}:${port}` });
  }

  renewed(registration: Registration): void {
    this.#last = undefined;
    this.#logger.warn("the registry had lost the registration; registered again", this.#fields(registration));
  }

  failed(error: unknown): void {
    if (this.#isLeaving) {
      this.#failure = error;
      return;
    }
    const text = messageOf(error);
    const now = performance.now();
    if (this.#last?.text === text && now - this.#last.at < remindMs) return;
    this.#last = { text, at: now };
    this.#logger.warn("the registration failed; trying again", { registry: this.#registry, error: text });
  }

  /** Keeps failures from now on, and returns the last one. */
  leave(): unknown {
    this.#isLeaving = true;
    return this.#failure;
  }

  #fields({ service, id }: Registration): Readonly<Record<string, string>> {
    return { registry: this.#registry, service, id };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
