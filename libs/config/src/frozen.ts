import type { Secret } from "./secret.ts";

/** A deeply read-only `T`. */
export type Frozen<T> = T extends Secret | Date | URL | RegExp | ((...args: never) => unknown)
  ? T
  : T extends readonly unknown[]
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: Frozen<T[K]> }
      : T;

/** Freezes plain objects and lists deeply. */
export function freeze<T>(value: T): Frozen<T> {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value) || prototype === Object.prototype || prototype === null) {
      Object.freeze(value);
      for (const part of Object.values(value)) freeze(part);
    }
  }
  return value as Frozen<T>;
}
