import { type Abortable, aborted, background, onAbort, sleep, within } from "@plumbline/concurrency";
import { isServiceError, ServiceError } from "@plumbline/errors";
import { z } from "zod";
import { conflict, type Kube, type KubeObject, resourceOf } from "./kube.ts";

export interface LeaseOptions extends Abortable {
  readonly namespace: string;
  /** The name of the Lease, which all replicas share. */
  readonly name: string;
  /** The name of this process, which no other has: that of the pod. */
  readonly identity: string;
  /** The time after the last renewal until another may take the lease; 15 s if not given. */
  readonly leaseMs?: number | undefined;
  /** The time after the last renewal until this process gives up; 10 s if not given. */
  readonly deadlineMs?: number | undefined;
  /** The time between two attempts to renew or to take the lease; 2 s if not given. */
  readonly everyMs?: number | undefined;
  /**
   * Called once when the lease is lost. By default it ends the process at once with exit code 1:
   * work that is under way must not go on beside the next leader's.
   */
  readonly onLost?: ((why: Error) => void) | undefined;
  /** Called for each attempt that fails. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** A lease that this process holds. Disposing gives it back, so that another takes it at once. */
export interface Leadership extends AsyncDisposable {
  /** Throws `aborted` if another process may hold the lease by now: the check before a write. */
  check(): void;
}

const Lease = z.looseObject({
  metadata: z.looseObject({ name: z.string(), resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      acquireTime: z.string().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .nullish(),
});
type Lease = z.output<typeof Lease>;

/** The longest time that giving a lease back may take. */
const releaseMs = 2_000;

/**
 * Waits until this process holds the lease, and keeps it until disposed. Times are those of this
 * process's monotonic clock, from when it has seen the lease change: clocks of other machines do
 * not count. A lease whose holder does not renew it is taken after `leaseMs`, and one that was
 * given back at the next attempt.
 */
export async function acquireLease(kube: Kube, options: LeaseOptions): Promise<Leadership> {
  const { namespace, name, identity, signal } = options;
  const { leaseMs = 15_000, deadlineMs = 10_000, everyMs = 2_000, onLost = endProcess, onFailure } = options;
  if (!(everyMs < deadlineMs && deadlineMs < leaseMs)) {
    throw new RangeError(`a lease needs everyMs < deadlineMs < leaseMs: ${everyMs}, ${deadlineMs}, ${leaseMs}`);
  }
  const resource = resourceOf("coordination.k8s.io/v1", "leases", namespace);
  let held: Lease;
  /** The time at which this process stops to be the leader, unless it renews before. */
  let until: number;
  let isLost = false;

  for (let seen: { readonly version: string; readonly at: number } | undefined; ; ) {
    const startedAt = performance.now();
    try {
      const found = await find();
      if (found === undefined) {
        held = await send(lease(undefined), signal);
        until = startedAt + deadlineMs;
        break;
      }
      const { resourceVersion: version } = found.metadata;
      if (seen?.version !== version) seen = { version, at: performance.now() };
      const { holderIdentity, leaseDurationSeconds } = found.spec ?? {};
      const expiresAt = seen.at + (leaseDurationSeconds ?? leaseMs / 1_000) * 1_000;
      // A process of the same name is one before this one: a container that was restarted.
      if (!holderIdentity || holderIdentity === identity || performance.now() >= expiresAt) {
        held = await send(lease(found), signal);
        until = startedAt + deadlineMs;
        break;
      }
    } catch (error) {
      signal?.throwIfAborted();
      // Another replica was first.
      if (!isServiceError(error) || (error.reason !== conflict && error.code !== "already_exists")) onFailure?.(error);
    }
    await sleep(everyMs * (0.75 + Math.random() / 4), { signal });
  }

  const check = (): void => {
    if (isLost || performance.now() >= until) {
      throw new ServiceError("aborted", `the lease ${namespace}/${name} was not renewed in time`);
    }
  };
  const lose = (why: Error): void => {
    if (isLost) return;
    isLost = true;
    onLost(why);
  };

  // A renewal that the process was stopped in must not be sent late either.
  const keeper = kube.guarded(check);

  /** Renews once. Loses the lease if another process has it. */
  async function renew(renewing: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    try {
      held = await send(lease(held), renewing, keeper);
      until = startedAt + deadlineMs;
    } catch (error) {
      renewing.throwIfAborted();
      onFailure?.(error);
      if (!isServiceError(error) || (error.reason !== conflict && error.code !== "not_found")) return;
      // An attempt that seemed to fail may have changed the version.
      const found = await find(renewing);
      if (found === undefined) {
        // Somebody has deleted it. The first to create it has it.
        held = await send(lease(undefined), renewing, keeper);
        until = startedAt + deadlineMs;
        return;
      }
      const { holderIdentity } = found.spec ?? {};
      if (holderIdentity === identity) held = found;
      else lose(new ServiceError("aborted", `the lease ${namespace}/${name} is held by ${holderIdentity || "nobody"}`));
    }
  }

  const renewals = background(async (stopping) => {
    for (;;) {
      if (isLost) break;
      const leftMs = until - performance.now();
      if (leftMs <= 0) {
        lose(new ServiceError("unavailable", `the lease ${namespace}/${name} was not renewed for ${deadlineMs} ms`));
        return;
      }
      const stop = new AbortController();
      using _link = onAbort(stopping, () => stop.abort(stopping.reason));
      try {
        // A request that hangs must not outlast the deadline.
        await within(
          sleep(Math.min(everyMs, leftMs), { signal: stop.signal }).then(() => renewIfTime(stop.signal)),
          { ms: leftMs, signal: stopping },
        );
      } catch (error) {
        stopping.throwIfAborted();
        onFailure?.(error);
      } finally {
        stop.abort();
      }
    }
    await aborted(stopping);
  });

  async function renewIfTime(renewing: AbortSignal): Promise<void> {
    if (performance.now() < until) await renew(renewing);
  }

  return {
    check,
    async [Symbol.asyncDispose]() {
      await renewals[Symbol.asyncDispose]();
      if (isLost || performance.now() >= until) return;
      isLost = true;
      const ending = AbortSignal.timeout(releaseMs);
      try {
        // The last renewal may have been cut off after it had reached the server.
        const found = await find(ending);
        if (found?.spec?.holderIdentity !== identity) return;
        await send({ ...found, spec: { ...found.spec, holderIdentity: "", leaseDurationSeconds: 1 } }, ending);
      } catch (error) {
        onFailure?.(error);
      }
    },
  };

  async function find(finding: AbortSignal | undefined = signal): Promise<Lease | undefined> {
    try {
      return parsed(await kube.get(resource, name, { signal: finding }));
    } catch (error) {
      if (isServiceError(error) && error.code === "not_found") return undefined;
      throw error;
    }
  }

  /** Returns the lease as this process holds it from now on. */
  function lease(before: Lease | undefined): Omit<Lease, "metadata"> & { readonly metadata: object } {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    const isOurs = before?.spec?.holderIdentity === identity;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: before?.metadata ?? { name, namespace },
      spec: {
        ...before?.spec,
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseMs / 1_000),
        acquireTime: isOurs ? before.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (before === undefined || isOurs ? 0 : 1),
      },
    };
  }

  async function send(
    value: ReturnType<typeof lease>,
    sending: AbortSignal | undefined,
    by: Kube = kube,
  ): Promise<Lease> {
    const isNew = !("resourceVersion" in value.metadata);
    return parsed(
      isNew
        ? await by.create(resource, value, { signal: sending })
        : await by.replace(resource, value as unknown as KubeObject, { signal: sending }),
    );
  }

  function parsed(object: KubeObject): Lease {
    const found = Lease.safeParse(object);
    if (!found.success) throw new ServiceError("unavailable", `the lease ${namespace}/${name} cannot be read`);
    return found.data;
  }
}

function endProcess(why: Error): never {
  console.error(`${why.message}: the process ends, because another may lead by now`);
  process.exit(1);
}
