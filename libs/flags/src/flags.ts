import type { EvaluationContext, JsonValue } from "@openfeature/core";
import type { Storage } from "@openfeature/flagd-core";
import { background, Event } from "@plumbline/concurrency";
import { type Source, watchConfig } from "@plumbline/config";
import type { Telemetry } from "@plumbline/telemetry";
import { FlagDocument, flagsOf } from "./document.ts";

/** The subject of an evaluation. `targetingKey`, such as a customer's id, decides about shares. */
export type FlagContext = EvaluationContext;

export type { JsonValue };

/** The result of an evaluation, with its reason in the words of OpenFeature. */
export interface Evaluation<T> {
  readonly value: T;
  /** Undefined if the value is the default of the code. */
  readonly variant: string | undefined;
  readonly reason: Reason;
}

export type Reason =
  | "STATIC"
  | "DEFAULT"
  | "TARGETING_MATCH"
  | "DISABLED"
  | "FLAG_NOT_FOUND"
  | "TYPE_MISMATCH"
  | "ERROR";

/** The state of the document: none was valid yet, the last one was, or a later one was not. */
export type FlagsStatus = "NOT_READY" | "READY" | "STALE";

/**
 * Flags that follow their document. No accessor ever throws or waits. The default is returned if
 * there is no such flag, if it is disabled, of another type, or if its rule fails.
 */
export interface Flags {
  boolean(key: string, fallback: boolean, context?: FlagContext): boolean;
  string(key: string, fallback: string, context?: FlagContext): string;
  number(key: string, fallback: number, context?: FlagContext): number;
  /** The result has the type of the default by assumption only: check it. */
  object<T extends JsonValue>(key: string, fallback: T, context?: FlagContext): T;
  /** Evaluates as the accessors do, with the reason. */
  evaluate<T extends JsonValue>(key: string, fallback: T, context?: FlagContext): Evaluation<T>;
  readonly status: FlagsStatus;
  /** Calls `listener` with the keys of the flags that have changed; none if only the status has. */
  onChange(listener: (keys: readonly string[]) => void): Disposable;
}

export interface FollowedFlags extends Flags, AsyncDisposable {}

/**
 * Follows a document of flagd in a source, such as a file, until disposed. Resolves once the
 * document was read. Without a valid document it resolves too, and all flags have their defaults. A
 * document that is invalid is logged, once, and the last valid one stays.
 */
export async function followFlags(
  source: Source,
  telemetry: Pick<Telemetry, "logger" | "metrics" | "tracer">,
): Promise<FollowedFlags> {
  const { logger } = telemetry;
  const set = new FlagSet(telemetry);
  const opened = new Event();
  const following = background(
    async (signal) => {
      for await (const { config, error } of watchConfig(FlagDocument, [source], signal)) {
        if (error === undefined) {
          const changed = set.use(flagsOf(config).storage);
          if (changed.length > 0) logger.info("flags changed", { flags: changed });
        } else {
          set.refuse();
          logger.warn("flags are invalid; keeping the last valid ones", { problems: error.message });
        }
        opened.set();
      }
    },
    {
      onFailure(error) {
        set.refuse();
        logger.error("flags are no longer followed; restart to apply changes", error);
        opened.set();
      },
    },
  );
  await opened.wait();
  return Object.assign(set, { [Symbol.asyncDispose]: () => following[Symbol.asyncDispose]() });
}

/** Returns flags that all have their defaults, for tests. */
export function noFlags(): Flags {
  return new FlagSet(undefined);
}

const noContext: FlagContext = {};
const unknownFlag = { flag: "unknown", variant: "default" };
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

class FlagSet implements Flags {
  readonly #telemetry: Pick<Telemetry, "metrics" | "tracer"> | undefined;
  readonly #evaluations: ReturnType<Telemetry["metrics"]["counter"]> | undefined;
  readonly #listeners = new Set<(keys: readonly string[]) => void>();
  #storage: Storage | undefined;
  /** The labels of each flag and variant, made once, since an evaluation costs little more. */
  #labels = new Map<string, Map<string | undefined, { readonly flag: string; readonly variant: string }>>();
  #status: FlagsStatus = "NOT_READY";

  constructor(telemetry: Pick<Telemetry, "metrics" | "tracer"> | undefined) {
    this.#telemetry = telemetry;
    this.#evaluations = telemetry?.metrics.counter(
      "flag_evaluations_total",
      "Evaluations of flags, by the variant that was chosen.",
      ["flag", "variant"],
    );
  }

  get status(): FlagsStatus {
    return this.#status;
  }

  /** Replaces the flags. Returns the keys of those that have changed. */
  use(storage: Storage): readonly string[] {
    const before = this.#storage?.getFlags();
    const now = storage.getFlags();
    const keys = [...new Set([...(before?.keys() ?? []), ...now.keys()])];
    const changed = keys.filter((key) => before?.get(key)?.hash !== now.get(key)?.hash);
    this.#storage = storage;
    this.#labels = new Map();
    this.#status = "READY";
    this.#tell(changed);
    return changed;
  }

  refuse(): void {
    if (this.#status === "READY") this.#status = "STALE";
    this.#tell([]);
  }

  boolean(key: string, fallback: boolean, context?: FlagContext): boolean {
    return this.evaluate(key, fallback, context).value;
  }

  string(key: string, fallback: string, context?: FlagContext): string {
    return this.evaluate(key, fallback, context).value;
  }

  number(key: string, fallback: number, context?: FlagContext): number {
    return this.evaluate(key, fallback, context).value;
  }

  object<T extends JsonValue>(key: string, fallback: T, context?: FlagContext): T {
    return this.evaluate(key, fallback, context).value;
  }

  evaluate<T extends JsonValue>(key: string, fallback: T, context: FlagContext = noContext): Evaluation<T> {
    const evaluation = this.#resolve(key, fallback, context);
    this.#report(key, evaluation);
    return evaluation;
  }

  onChange(listener: (keys: readonly string[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #resolve<T extends JsonValue>(key: string, fallback: T, context: FlagContext): Evaluation<T> {
    const instead = (reason: Reason): Evaluation<T> => ({ value: fallback, variant: undefined, reason });
    try {
      const flag = this.#storage?.getFlag(key);
      if (flag === undefined) return instead("FLAG_NOT_FOUND");
      if (flag.state === "DISABLED") return instead("DISABLED");
      const { value, variant, reason } = flag.evaluate(context, silent);
      if (value === undefined) return instead(reason === "DEFAULT" ? "DEFAULT" : "ERROR");
      if (typeof value !== typeof fallback) return instead("TYPE_MISMATCH");
      return { value: value as T, variant, reason: reason as Reason };
    } catch {
      return instead("ERROR");
    }
  }

  #report(key: string, { variant, reason }: Evaluation<unknown>): void {
    this.#evaluations?.inc(this.#labelsOf(key, variant));
    this.#telemetry?.tracer.addEvent("feature_flag.evaluation", {
      "feature_flag.key": key,
      "feature_flag.result.variant": variant,
      "feature_flag.result.reason": reason.toLowerCase(),
    });
  }

  /** Returns labels from the document only, whatever key was asked for. */
  #labelsOf(key: string, variant: string | undefined): { readonly flag: string; readonly variant: string } {
    const known = this.#labels.get(key)?.get(variant);
    if (known !== undefined) return known;
    if (this.#storage?.getFlag(key) === undefined) return unknownFlag;
    const labels = { flag: key, variant: variant ?? "default" };
    this.#labels.set(key, (this.#labels.get(key) ?? new Map()).set(variant, labels));
    return labels;
  }

  #tell(keys: readonly string[]): void {
    for (const listener of this.#listeners) listener(keys);
  }
}

function ignore(): void {}
