import { type Abortable, sleep } from "@plumbline/concurrency";
import { isServiceError, ServiceError } from "@plumbline/errors";
import { z } from "zod";
import { gone, type Kube, type KubeObject, type Resource } from "./kube.ts";

const Event = z.object({
  type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: z.looseObject({
    metadata: z.looseObject({ name: z.string().default(""), resourceVersion: z.string().optional() }).optional(),
    code: z.int().optional(),
    message: z.string().optional(),
  }),
});

/** The shortest time between two requests of one watch, plus up to a half of it. */
const pauseMs = 1_000;

/**
 * Yields all objects of a resource, and again after each change, until the signal aborts. It lists
 * once and watches from there. A watch that ends, is cut or is silent begins again where it was; a
 * version that the server has forgotten (410) lists again. It sends at most one request a second,
 * the first two apart. Throws when the server cannot be reached or refuses.
 */
export async function* watchObjects(
  kube: Kube,
  resource: Resource,
  { signal }: Abortable = {},
): AsyncGenerator<readonly KubeObject[]> {
  for (;;) {
    const startedAt = performance.now();
    const { objects, version } = await kube.list(resource, { signal });
    const current = new Map(objects.map((object) => [keyOf(object), object]));
    yield [...current.values()];
    try {
      yield* follow(kube, resource, { current, version }, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isServiceError(error) || error.reason !== gone) throw error;
    }
    await pauseSince(startedAt, signal);
  }
}

/** Watches until the server has forgotten the version. */
async function* follow(
  kube: Kube,
  resource: Resource,
  state: { readonly current: Map<string, KubeObject>; version: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly KubeObject[]> {
  for (;;) {
    const startedAt = performance.now();
    try {
      for await (const line of kube.events(resource, state.version, { signal })) {
        if (take(line, resource, state)) yield [...state.current.values()];
      }
    } catch (error) {
      signal?.throwIfAborted();
      // A connection that was lost or silent after it had opened is made again. Any other fault is
      // the caller's to count.
      if (!isLost(error)) throw error;
    }
    await pauseSince(startedAt, signal);
  }
}

/** Returns true for a lost connection. A request that never opened, or a refusal, has words. */
function isLost(error: unknown): boolean {
  return !isServiceError(error) && error instanceof Error && "code" in error;
}

async function pauseSince(startedAt: number, signal: AbortSignal | undefined): Promise<void> {
  const leftMs = startedAt + pauseMs * (1 + Math.random() / 2) - performance.now();
  if (leftMs > 0) await sleep(leftMs, { signal });
}

/** Applies an event. Returns true if the objects have changed. */
function take(
  line: string,
  { path }: Resource,
  state: { readonly current: Map<string, KubeObject>; version: string },
): boolean {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new ServiceError("internal", `${path}: an event of the watch is no JSON`);
  }
  const event = Event.safeParse(value);
  if (!event.success) throw new ServiceError("internal", `${path}: an event of the watch cannot be read`);
  const { type, object } = event.data;
  if (type === "ERROR") {
    const { code = 0, message = "" } = object;
    throw new ServiceError("unavailable", `${path}: the watch ended with ${code} ${message}`, {
      ...(code === 410 && { reason: gone }),
    });
  }
  state.version = object.metadata?.resourceVersion ?? state.version;
  if (type === "BOOKMARK") return false;
  const one = object as unknown as KubeObject;
  if (type === "DELETED") return state.current.delete(keyOf(one));
  state.current.set(keyOf(one), one);
  return true;
}

function keyOf({ metadata: { namespace = "", name } }: KubeObject): string {
  return `${namespace}/${name}`;
}
