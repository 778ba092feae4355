import { ApiVersion, type ConfigSource } from "../gen/envoy/config/core/v3/config_source.ts";
import type { Any } from "../gen/google/protobuf/any.ts";
import type { Duration } from "../gen/google/protobuf/duration.ts";

/** Returns a length of time as a message. */
export function duration(ms: number): Duration {
  return { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
}

/** Returns a message of that name as an Any. */
export function any<T>(name: string, codec: { encode(message: T): { finish(): Uint8Array } }, message: T): Any {
  return { typeUrl: `type.googleapis.com/${name}`, value: codec.encode(message).finish() };
}

/**
 * The source of what a resource mentions: the same stream. A proxy keeps what it has until the
 * answer is there, so the wait has no end.
 */
export const overAds: ConfigSource = {
  authorities: [],
  configSourceSpecifier: { $case: "ads", value: {} },
  initialFetchTimeout: duration(0),
  resourceApiVersion: ApiVersion.V3,
};
