import type { Connection } from "@plumbline/http2";
import type { Balancing } from "../../transport.ts";
import type { Subchannel } from "./subchannel.ts";

/** A policy that chooses among subchannels. A choice allocates nothing. */
export interface Picker {
  /** Returns a connection with capacity, or undefined if none has any. */
  pick(subchannels: readonly Subchannel[]): Connection | undefined;
}

export function picker(balancing: Balancing): Picker {
  return balancing === "least_request" ? new LeastRequest() : new RoundRobin();
}

/** A policy that takes all in turn. It begins anywhere, so that clients do not begin together. */
class RoundRobin implements Picker {
  #turn = Math.floor(Math.random() * 1_000_000);

  pick(subchannels: readonly Subchannel[]): Connection | undefined {
    const { length } = subchannels;
    for (let tried = 0; tried < length; tried++) {
      const index = (this.#turn + tried) % length;
      const found = subchannels[index]?.available;
      if (found === undefined) continue;
      this.#turn = index + 1;
      return found;
    }
    return undefined;
  }
}

/**
 * A policy that takes the one with fewer calls in flight of two that are chosen at random
 * (Mitzenmacher, "The Power of Two Choices", 2001). If neither has capacity, it takes any that has.
 */
class LeastRequest implements Picker {
  readonly #any = new RoundRobin();

  pick(subchannels: readonly Subchannel[]): Connection | undefined {
    const { length } = subchannels;
    if (length < 2) return subchannels[0]?.available;
    const first = Math.floor(Math.random() * length);
    const other = Math.floor(Math.random() * (length - 1));
    const one = subchannels[first]?.available;
    const two = subchannels[other < first ? other : other + 1]?.available;
    if (one === undefined || two === undefined) return one ?? two ?? this.#any.pick(subchannels);
    return two.size < one.size ? two : one;
  }
}
