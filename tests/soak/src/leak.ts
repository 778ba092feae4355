import type { Interceptor } from "@plumbline/rpc";

/** Keeps every call in `kept`: a typical accidental leak. */
export function leakTo<C>(kept: Set<C>): Interceptor<C> {
  return (call, next) => {
    kept.add(call);
    return next(call);
  };
}
