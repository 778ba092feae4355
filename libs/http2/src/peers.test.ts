import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { type Holder, type Peer, Peers } from "./peers.ts";

class Connection implements Holder {
  readonly peer: Peer;
  held = 0;
  isCut = false;

  constructor(peers: Peers, address: string) {
    this.peer = peers.enter(address, this);
  }

  hold(octets: number): boolean {
    if (this.isCut || !this.peer.hold(octets)) return false;
    this.held += octets;
    return true;
  }

  release(octets: number): void {
    this.held -= octets;
    this.peer.release(octets);
  }

  cut(): void {
    this.release(this.held);
    this.isCut = true;
  }

  close(): void {
    this.release(this.held);
    this.peer.leave(this);
  }
}

describe("peers", () => {
  void test("resets beyond the budget end the connections of a peer, and slow down those of a trusted one", () => {
    const peers = new Peers({ peerOf: (key) => ({ key, trusted: key === "10.0.0.1" }) });
    const [ours, other] = ["10.0.0.1", "10.0.0.2"].map((address) => new Connection(peers, address).peer.floods);
    const many = (count: number, streamReset: () => void) => {
      for (let i = 0; i < count; i++) streamReset();
    };
    many(9_000, () => ours?.streamReset());
    assert.equal(ours?.pauseMs, 0);
    many(3_000, () => ours?.streamReset());
    // 2,000 more than the burst, at 1,000 a second.
    const pause = ours?.pauseMs ?? 0;
    assert.ok(pause > 0 && pause <= 2_000, `${pause} ms`);
    assert.throws(() => many(20_000, () => other?.streamReset()), { message: "too many reset streams" });
  });

  void test("a peer is treated as before within seconds of its last flood, however long that lasted", (t) => {
    let now = 0;
    t.mock.method(performance, "now", () => now);
    const peers = new Peers({ peerOf: (key) => ({ key, trusted: true }) });
    const { floods } = new Connection(peers, "10.0.0.1").peer;
    for (let second = 0; second < 60; second++, now += 1_000) {
      for (let i = 0; i < 3_000; i++) floods.streamReset();
    }
    // The debt of 120,000 resets counts as 10,000, less those of the last second.
    assert.equal(floods.pauseMs, 9_000);
    now += 30_000;
    assert.equal(floods.pauseMs, 0);
  });

  void test("no order of events exceeds a bound, or leaves octets behind", () => {
    const step = fc.record({ peer: fc.nat(4), connection: fc.nat(2), octets: fc.nat(40), isRelease: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const peers = new Peers({ maxHeld: 100, maxHeldPerPeer: 40 });
        const open = new Map<string, Connection>();
        for (const { peer, connection, octets, isRelease } of steps) {
          const name = `${peer}.${connection}`;
          let one = open.get(name);
          if (one === undefined || one.isCut) {
            one?.close();
            open.set(name, (one = new Connection(peers, `10.0.0.${peer}`)));
          }
          if (isRelease) one.release(Math.min(octets, one.held));
          else {
            const before = one.peer.held;
            // The equal share of five peers is 20: a peer within it is never refused.
            if (!one.hold(octets)) assert.ok(before + octets > 20, `${before} and ${octets} were refused`);
          }
          const connections = [...open.values()];
          const held = connections.map((each) => each.held);
          assert.ok(peers.held <= 100);
          assert.ok(connections.every((each) => each.peer.held <= 40));
          assert.equal(
            held.reduce((sum, each) => sum + each, 0),
            peers.held,
          );
        }
        for (const one of open.values()) one.close();
        assert.equal(peers.held, 0);
        assert.equal(peers.size, 0);
      }),
    );
  });

  void test("past the bound of all, the largest connection of the peer that holds most gives way", () => {
    const peers = new Peers({ maxHeld: 100, maxHeldPerPeer: 90 });
    const small = new Connection(peers, "10.0.0.1");
    const large = new Connection(peers, "10.0.0.1");
    const other = new Connection(peers, "10.0.0.2");
    assert.ok(small.hold(20) && large.hold(60) && other.hold(20));
    assert.ok(other.hold(10));
    assert.deepEqual([small.isCut, large.isCut, other.isCut], [false, true, false]);
  });

  void test("past the bound of all, as many calls give way as the room takes, or none of the asking peer", () => {
    const peers = new Peers({ maxHeld: 100, maxHeldPerPeer: 90 });
    const many = Array.from({ length: 9 }, () => new Connection(peers, "10.0.0.1"));
    for (const one of many) assert.ok(one.hold(10));
    const other = new Connection(peers, "10.0.0.2");
    assert.ok(other.hold(10) && other.hold(25));
    assert.equal(many.filter(({ isCut }) => isCut).length, 3);
    assert.equal(peers.held, 95);
    assert.ok(!other.hold(90));
    assert.equal(other.isCut, false);
  });

  void test("a trusted peer may take the whole bound, and is cut for a trusted one only", () => {
    const peerOf = (key: string) => ({ key, trusted: key.startsWith("192.") });
    const peers = new Peers({ maxHeld: 100, maxHeldPerPeer: 40, peerOf });
    const trusted = new Connection(peers, "192.168.0.1");
    const stranger = new Connection(peers, "10.0.0.1");
    const other = new Connection(peers, "192.168.0.2");
    assert.ok(trusted.hold(95));
    assert.ok(!stranger.hold(10));
    assert.ok(!trusted.isCut);
    assert.ok(other.hold(10));
    assert.ok(trusted.isCut);
  });

  void test("the budgets of an address survive its connections, and are those of all of them", () => {
    const peers = new Peers();
    for (let round = 0; round < 1_000; round++) {
      const one = new Connection(peers, "10.0.0.1");
      one.peer.floods.streamReset();
      one.close();
    }
    const last = new Connection(peers, "10.0.0.1");
    assert.throws(() => {
      for (let more = 0; more < 500; more++) last.peer.floods.streamReset();
    }, /too many reset streams/);
    new Connection(peers, "10.0.0.2").peer.floods.streamReset();
  });
});
