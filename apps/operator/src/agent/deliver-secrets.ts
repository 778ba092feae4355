import { join } from "node:path";
import { type Abortable, fullJitter, sleep, taskGroup } from "@plumbline/concurrency";
import { type Kube, type KubeObject, resourceOf, watchObjects } from "@plumbline/kube";
import { swapFiles } from "./swap-files.ts";

/** A Secret, and the folder below the root that shows its files. */
export interface Delivery {
  readonly name: string;
  readonly secretRef: string;
}

export interface DeliverOptions extends Abortable {
  readonly kube: Kube;
  readonly namespace: string;
  readonly deliveries: readonly Delivery[];
  /** The folder of all Secrets. */
  readonly root: string;
  /** The versions that the folders show. They are written here, by the names of the deliveries. */
  readonly versions: Map<string, string>;
  readonly log: (level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>) => void;
}

const backoff = { baseMs: 500, maxMs: 15_000 };

/**
 * Keeps folders as their Secrets are, until the signal aborts. It watches each Secret by its name,
 * and asks for no other. The files of a Secret that is deleted, or cannot be read, stay.
 */
export async function deliverSecrets(options: DeliverOptions): Promise<void> {
  await taskGroup(
    async (group) => {
      for (const delivery of options.deliveries) await group.start((signal) => follow(delivery, options, signal));
    },
    { signal: options.signal },
  );
}

async function follow({ name, secretRef }: Delivery, options: DeliverOptions, signal: AbortSignal): Promise<void> {
  const { kube, namespace, root, versions, log } = options;
  const resource = { ...resourceOf("v1", "secrets", namespace), fieldSelector: `metadata.name=${secretRef}` };
  for (let failures = 0; ; failures += 1) {
    try {
      for await (const objects of watchObjects(kube, resource, { signal })) {
        const secret = objects.find(({ metadata }) => metadata.name === secretRef);
        if (secret === undefined) {
          log("warn", "the Secret is not there", { secret: secretRef, shown: versions.get(name) ?? "none" });
          continue;
        }
        const { resourceVersion = "" } = secret.metadata;
        if (await swapFiles(join(root, name), filesOf(secret))) {
          log("info", "files of a Secret are written", { secret: secretRef, resourceVersion });
        }
        versions.set(name, resourceVersion);
        failures = 0;
      }
    } catch (error) {
      signal.throwIfAborted();
      // Errors of the client and of the file system name no content.
      log("warn", "a Secret cannot be followed, to be repeated", { secret: secretRef, error: String(error) });
    }
    await sleep(backoff.baseMs + fullJitter(failures, backoff), { signal });
  }
}

function filesOf({ data }: KubeObject): ReadonlyMap<string, Buffer> {
  const entries = Object.entries((data ?? {}) as Readonly<Record<string, string>>);
  return new Map(entries.map(([name, text]) => [name, Buffer.from(text, "base64")]));
}
