import { longestTimerMs } from "@plumbline/concurrency";
import { z } from "zod";
import { Secret } from "./secret.ts";

/** A password, token, or URL with one. It must not be empty, since that would be a mistake. */
export function secret() {
  return z
    .string()
    .min(1)
    .transform((value) => new Secret(value))
    .meta({ secret: true });
}

/**
 * Marks a setting, or all settings of a section, as live: a service that follows its sources
 * applies a change without a restart.
 */
export function live<T extends z.ZodType>(schema: T): T {
  return schema.meta({ ...schema.meta(), live: true });
}

/** A whole number from 1 to `most`. */
export function count(preset: number, most: number) {
  return z.int().min(1).max(most).default(preset);
}

/** A TCP port; 0 takes a free one. */
export function port(preset: number) {
  return z.int().min(0).max(65_535).default(preset);
}

/**
 * A length of time in whole milliseconds that a timer can hold. The name of its key ends in `Ms`.
 */
export function durationMs(preset: number) {
  return z.int().min(0).max(longestTimerMs).default(preset);
}
