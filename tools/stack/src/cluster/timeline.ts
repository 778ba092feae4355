import { background } from "@plumbline/concurrency";
import type { Reach } from "./reach.ts";

const near = 6_000;
const shownLines = 30;
/** The first lines say what there is, and no change. */
const initialMs = 500;

/** A record of what the cluster did with its pods, to explain the failures of a load. */
export interface Timeline extends AsyncDisposable {
  /** Returns the lines of the seconds around a moment, with their times. */
  around(at: string): string;
}

const columns = {
  pods: [
    "POD:.metadata.name",
    "STOPPING:.metadata.deletionTimestamp",
    'READY:.status.conditions[?(@.type=="Ready")].status',
    "EXIT:.status.containerStatuses[0].state.terminated.exitCode",
    "RESTARTS:.status.containerStatuses[0].restartCount",
  ],
  endpointslices: [
    "SLICE:.metadata.name",
    "ADDRESSES:.endpoints[*].addresses[0]",
    "READY:.endpoints[*].conditions.ready",
  ],
};

/** Records each change of the pods and endpoints of a namespace, with the time at which it came. */
export function recordTimeline(reach: Reach, namespace: string): Timeline {
  const lines: { readonly at: number; readonly text: string }[] = [];
  const work = background(
    async (signal) => {
      await Promise.all(
        Object.entries(columns).map(([kind, of]) =>
          reach.followed(
            [
              "--namespace",
              namespace,
              "get",
              kind,
              "--watch",
              "--no-headers",
              "--output",
              `custom-columns=${of.join()}`,
            ],
            signal,
            (line) => lines.push({ at: Date.now(), text: line.replace(/\s+/g, " ") }),
          ),
        ),
      );
    },
    { onFailure: (error) => lines.push({ at: Date.now(), text: `the record has ended: ${String(error)}` }) },
  );
  return {
    around(at) {
      const moment = Date.parse(at);
      const begun = (lines[0]?.at ?? 0) + initialMs;
      const found = lines.filter((line) => line.at > begun && Math.abs(line.at - moment) <= near).slice(0, shownLines);
      return found.map((line) => `    ${new Date(line.at).toISOString()} ${line.text}`).join("\n");
    },
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
  };
}
