import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { TransportName } from "@plumbline/rpc";
import type { Census } from "./census.ts";
import type { Counts } from "./outcomes.ts";
import type { Pace } from "./pace.ts";
import type { Sample } from "./sample.ts";
import type { Ports } from "./servers.ts";
import type { Stall } from "./stalls.ts";

/** The arguments of a process of the soak. */
export interface Task {
  readonly transport: TransportName;
  readonly pace: Pace;
  /** True if it leaks every call, to show that the soak notices. */
  readonly leaks: boolean;
}

export interface ClientTask extends Task {
  readonly ports: Ports;
  readonly perSecond: number;
}

/** The requests to a process, one at a time, with their arguments and results. */
interface Protocol {
  /** Stops new calls, and answers when none is in flight. */
  rest: readonly [undefined, void];
  go: readonly [undefined, void];
  census: readonly [undefined, Census];
}

export interface ServerProtocol extends Protocol {
  begin: readonly [Task, Ports];
  sample: readonly [undefined, Sample];
  end: readonly [undefined, { readonly stalls: readonly Stall[] }];
}

export interface ClientProtocol extends Protocol {
  begin: readonly [ClientTask, void];
  /** Calls so far. */
  made: readonly [undefined, number];
  sample: readonly [undefined, Sample & { readonly made: number }];
  end: readonly [
    undefined,
    {
      readonly counts: Counts;
      readonly surprises: readonly string[];
      readonly heldBack: number;
      readonly stalls: readonly Stall[];
    },
  ];
}

type Orders<P extends ServerProtocol | ClientProtocol> = {
  readonly [K in keyof P]: P[K] extends readonly [infer A, infer R] ? (argument: A) => Promise<R> : never;
};

/** Runs in the process itself: handles requests, and ends with the parent. */
export function obey<P extends ServerProtocol | ClientProtocol>(orders: Orders<P>): void {
  process.on("message", ({ order, argument }: { order: keyof P; argument: never }) => {
    void orders[order](argument).then((answer) => process.send?.({ answer }));
  });
  process.on("disconnect", () => process.exit());
  // Ctrl-C reaches the whole group; the parent ends this process.
  process.on("SIGINT", () => {});
}

/** A process of the soak, seen from its parent. */
export class Remote<P extends ServerProtocol | ClientProtocol> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #name: string;

  /** `name` is the name of its program. */
  constructor(name: string) {
    this.#name = name;
    const program = join(import.meta.dirname, `${name}.ts`);
    this.#child = fork(program, { execArgv: ["-C", "source", "--expose-gc", "--disable-warning=ExperimentalWarning"] });
  }

  /** Rejects if the process ends instead. */
  async ask<K extends keyof P & string>(
    order: K,
    ...[argument]: P[K] extends readonly [undefined, unknown]
      ? []
      : P[K] extends readonly [infer A, unknown]
        ? [A]
        : never
  ): Promise<P[K] extends readonly [unknown, infer R] ? R : never> {
    const over = new AbortController();
    const ended = once(this.#child, "exit", { signal: over.signal }).then(([code, signal]) => {
      throw new Error(`${this.#name} ended by itself (${code ?? signal})`);
    });
    ended.catch(() => {});
    const answered = once(this.#child, "message", { signal: over.signal });
    this.#child.send({ order, argument });
    try {
      const [{ answer }] = await Promise.race([answered, ended]);
      return answer;
    } finally {
      over.abort();
      answered.catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.disconnect();
    await exit;
  }
}
