import type { Abortable } from "@plumbline/concurrency";
import { type Kube, type KubeObject, resourceOf } from "./kube.ts";

/** An event of an object, which `kubectl describe` shows. */
export interface ObjectEvent {
  readonly type: "Normal" | "Warning";
  /** One word for programs: "Applied". */
  readonly reason: string;
  /** The thing that was tried: "Apply". */
  readonly action: string;
  /** A sentence for people. The server takes 1,024 bytes; a longer one is cut. */
  readonly message: string;
}

export interface EventSource extends Abortable {
  /** The program: "plumbline.dev/operator". */
  readonly controller: string;
  /** The process: the name of the pod. */
  readonly instance: string;
}

const maxBytes = 1_024;

/** Creates an event of an object. The server forgets it after an hour. */
export async function recordEvent(
  kube: Kube,
  about: KubeObject,
  { type, reason, action, message }: ObjectEvent,
  { controller, instance, signal }: EventSource,
): Promise<void> {
  const { name, namespace = "default", uid, resourceVersion } = about.metadata;
  await kube.create(
    resourceOf("events.k8s.io/v1", "events", namespace),
    {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { generateName: `${name.slice(0, 200).replace(/[-.]+$/, "")}-`, namespace },
      eventTime: `${new Date().toISOString().slice(0, -1)}000Z`,
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      type,
      reason,
      action,
      note: cut(message),
      regarding: { apiVersion: about["apiVersion"], kind: about["kind"], name, namespace, uid, resourceVersion },
    },
    { signal },
  );
}

function cut(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= maxBytes) return message;
  // A character that is cut in two becomes the mark of an unknown one.
  return `${bytes
    .subarray(0, maxBytes - 4)
    .toString()
    .replace(/\uFFFD$/, "")}…`;
}
