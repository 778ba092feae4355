import { Semaphore } from "@plumbline/concurrency";
import { z } from "zod";
import type { SecretVersions } from "./reconcile/desired-objects.ts";
import { readVersions } from "./reconcile/read-versions.ts";
import { agentSecrets } from "./reconcile/secret-agent.ts";
import type { AgentPod } from "./reconcile/status-of.ts";
import type { BackendService } from "./resource/backend-service.ts";
import type { Look, Objects } from "./watched.ts";

/** The times between two questions to agents that are behind. */
const askBackoff = { baseMs: 1_000, maxMs: 60_000 };
/** The most agents of a resource that are asked at a time. */
const maxQuestions = 10;

export interface AgentRoundsOptions {
  readonly look: Look;
  readonly agentPort: number;
  /** Looks at a resource again after a time. */
  readonly addAfter: (key: string, ms: number) => void;
}

/** Asks the agents of pods which versions they have written, and remembers their answers. */
export class AgentRounds {
  readonly #options: AgentRoundsOptions;
  /** The versions that agents have said last, by the pods' uids. */
  readonly #said = new Map<string, ReadonlyMap<string, string>>();
  /** The number of times in a row that some agent of a resource was behind. */
  readonly #waits = new Map<string, number>();

  constructor(options: AgentRoundsOptions) {
    this.#options = options;
  }

  /**
   * Returns the pods with an agent, and what each has written. It asks those that are behind, and
   * looks at the resource again soon if one still is.
   */
  async ask(
    key: string,
    resource: BackendService,
    versions: SecretVersions,
    working: AbortSignal,
  ): Promise<readonly AgentPod[]> {
    const { look, agentPort, addAfter } = this.#options;
    const secrets = agentSecrets(resource);
    if (secrets.length === 0) return [];
    const { namespace, name } = resource.metadata;
    const found = [...look("Pod", namespace).values()].flatMap((object) => {
      const pod = AgentPodObject.safeParse(object);
      const isOurs = pod.success && pod.data.metadata.labels["app.kubernetes.io/instance"] === name;
      return isOurs && pod.data.metadata.deletionTimestamp === undefined ? [pod.data] : [];
    });
    const isLate = ({ metadata: { uid } }: AgentPodObject) =>
      secrets.some((secret) => this.#said.get(uid)?.get(secret.name) !== versions.get(secret.secretRef));
    const late = found.filter(isLate);
    const places = new Semaphore(maxQuestions);
    await Promise.all(
      late.map(async ({ metadata: { uid }, status: { podIP } }) => {
        if (podIP === undefined) return;
        using _place = await places.acquire({ signal: working });
        const answer = await readVersions(podIP, agentPort, { signal: working });
        if (answer !== undefined) this.#said.set(uid, answer);
      }),
    );
    working.throwIfAborted();
    const waited = late.some(isLate) ? (this.#waits.get(key) ?? 0) + 1 : 0;
    this.#waits.set(key, waited);
    if (waited > 0) addAfter(key, Math.min(askBackoff.maxMs, askBackoff.baseMs * 2 ** (waited - 1)));
    return found
      .map(({ metadata }) => ({
        name: metadata.name,
        versions: this.#said.get(metadata.uid) ?? new Map<string, string>(),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Forgets the answers of pods that are gone. */
  forgetPods(before: Objects | undefined, after: Objects): void {
    for (const [pod, { metadata }] of before ?? []) {
      if (after.get(pod)?.metadata.uid !== metadata.uid) this.#said.delete(metadata.uid ?? "");
    }
  }

  /** Forgets a resource that is gone. */
  forget(key: string): void {
    this.#waits.delete(key);
  }
}

const AgentPodObject = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()),
    deletionTimestamp: z.string().optional(),
  }),
  status: z.object({ podIP: z.string().optional() }).prefault({}),
});
type AgentPodObject = z.output<typeof AgentPodObject>;
