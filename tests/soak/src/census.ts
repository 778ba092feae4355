import { queryObjects } from "node:v8";
import { Connection } from "@plumbline/http2";
import { StreamIncoming, StreamOutgoing, Subchannel, UnaryIncoming, UnaryOutgoing } from "@plumbline/rpc/internals";

/** The live objects of the http2 transport in a process. All are zero on another transport. */
export interface Census {
  readonly calls: number;
  readonly connections: number;
  readonly subchannels: number;
}

/**
 * Counts them at rest. It takes seconds and collects all garbage, including compiled code, so call
 * it last.
 */
export async function takeCensus(): Promise<Census> {
  return {
    calls: [UnaryOutgoing, StreamOutgoing, UnaryIncoming, StreamIncoming].reduce((sum, of) => sum + count(of), 0),
    connections: count(Connection),
    subchannels: count(Subchannel),
  };
}

function count(of: new (...args: never[]) => object): number {
  return queryObjects(of, { format: "count" });
}
