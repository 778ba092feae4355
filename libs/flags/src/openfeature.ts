import {
  ErrorCode,
  type EvaluationContext,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  ProviderNotReadyError,
  type ResolutionDetails,
} from "@openfeature/server-sdk";
import type { Flags, FlagsStatus, Reason } from "./flags.ts";

const errorCodes: Partial<Record<Reason, ErrorCode>> = {
  FLAG_NOT_FOUND: ErrorCode.FLAG_NOT_FOUND,
  TYPE_MISMATCH: ErrorCode.TYPE_MISMATCH,
  ERROR: ErrorCode.GENERAL,
};

/**
 * Returns a provider of OpenFeature over flags, for code that is written for its API. It is READY
 * while the document is valid, STALE while an earlier one stands in, and ERROR without any. Closing
 * it leaves the flags open.
 */
export function asOpenFeatureProvider(flags: Flags): Provider {
  const events = new OpenFeatureEventEmitter();
  let listening: Disposable | undefined;
  let told: FlagsStatus = "NOT_READY";

  function tell(keys: readonly string[]): void {
    if (flags.status !== told) {
      told = flags.status;
      events.emit(told === "READY" ? ProviderEvents.Ready : ProviderEvents.Stale);
    }
    if (keys.length > 0) events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...keys] });
  }

  async function resolve<T extends JsonValue>(key: string, fallback: T, context: EvaluationContext) {
    const { value, variant, reason } = flags.evaluate(key, fallback, context);
    const errorCode = errorCodes[reason];
    const details: ResolutionDetails<T> = {
      value,
      reason: errorCode === undefined ? reason : "ERROR",
      ...(variant !== undefined && { variant }),
      ...(errorCode !== undefined && { errorCode }),
    };
    return details;
  }

  return {
    metadata: { name: "plumbline" },
    runsOn: "server",
    events,
    async initialize() {
      listening ??= flags.onChange(tell);
      told = flags.status;
      if (told === "NOT_READY") throw new ProviderNotReadyError("there is no valid document of flags yet");
      if (told === "STALE") events.emit(ProviderEvents.Stale);
    },
    async onClose() {
      listening?.[Symbol.dispose]();
      listening = undefined;
    },
    resolveBooleanEvaluation: resolve,
    resolveStringEvaluation: resolve,
    resolveNumberEvaluation: resolve,
    resolveObjectEvaluation: resolve,
  };
}
