import type { Interceptor } from "@plumbline/rpc";

/** Keeps every call in `kept`: a leak as they are made by accident. */
export function leakTo<C>(kept: Set<C>): Interceptor<C> {
  return (call, next) => {
    kept.add(call);
    return next(call);
  };
}
