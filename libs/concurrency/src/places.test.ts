import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { type PlaceHolder, Places, type RefusedPlace } from "./places.ts";

class Holder implements PlaceHolder {
  isIdle: boolean;
  isEvicted = false;

  constructor(isIdle = true) {
    this.isIdle = isIdle;
  }

  evict(): void {
    this.isEvicted = true;
  }
}

const stranger = (key: string) => ({ key, favoured: false });
const ours = { key: "ours", favoured: true };

/** Enters `count` holders of a peer, and returns them. */
function fill(places: Places, owner: { key: string; favoured: boolean }, count: number, isIdle = true): Holder[] {
  return Array.from({ length: count }, () => {
    const holder = new Holder(isIdle);
    places.enter(owner, holder);
    return holder;
  });
}

describe("places", () => {
  test("a peer at its own bound loses its oldest idle place, and no other peer loses one", () => {
    const places = new Places({ inAll: 10, perPeer: 3 });
    const other = fill(places, stranger("b"), 1);
    const [busy, idle, young] = [new Holder(false), new Holder(), new Holder()];
    for (const holder of [busy, idle, young]) places.enter(stranger("a"), holder);
    assert.equal(places.enter(stranger("a"), new Holder()), true);
    assert.deepEqual(
      [busy, idle, young, ...other].map(({ isEvicted }) => isEvicted),
      [false, true, false, false],
    );
    assert.equal(places.takenBy("a"), 3);
  });

  test("a peer at its own bound that is busy in all of its places is refused", () => {
    const refused: RefusedPlace[] = [];
    const places = new Places({ inAll: 10, perPeer: 3, onRefused: (why) => refused.push(why) });
    fill(places, stranger("a"), 3, false);
    assert.equal(places.enter(stranger("a"), new Holder()), false);
    assert.equal(places.enter(stranger("b"), new Holder()), true);
    assert.deepEqual(refused, ["peer"]);
  });

  test("at the bound of all, the peer that holds most makes room", () => {
    const places = new Places({ inAll: 6, perPeer: 6 });
    const [few, many] = [fill(places, stranger("a"), 2), fill(places, stranger("b"), 4)];
    assert.equal(places.enter(stranger("c"), new Holder()), true);
    assert.deepEqual(
      [...few, ...many].map(({ isEvicted }) => isEvicted),
      [false, false, true, false, false, false],
    );
  });

  test("a peer that is favoured has no bound of its own, and keeps its places while strangers are idle", () => {
    const places = new Places({ inAll: 6, perPeer: 2 });
    const own = fill(places, ours, 5);
    const [strange] = fill(places, stranger("a"), 1);
    assert.equal(places.enter(stranger("b"), new Holder()), true);
    assert.equal(strange?.isEvicted, true);
    assert.equal(places.enter(ours, new Holder()), true);
    assert.deepEqual([places.takenBy("ours"), places.takenBy("b")], [6, 0]);
    assert.equal(
      own.some(({ isEvicted }) => isEvicted),
      false,
    );
    assert.equal(places.enter(stranger("b"), new Holder()), false);
    assert.equal(places.enter(ours, new Holder()), true);
    assert.equal(own[0]?.isEvicted, true);
  });

  test("places are kept for peers that are favoured", () => {
    const places = new Places({ inAll: 6, perPeer: 6, kept: 2 });
    fill(places, stranger("a"), 10, false);
    assert.equal(places.taken, 4);
    assert.deepEqual(
      fill(places, ours, 3, false).map((holder) => (places.leave("ours", holder), places.taken)),
      [5, 4, 4],
    );
  });

  test("a holder that has left gives its place back once", () => {
    const places = new Places({ inAll: 2, perPeer: 2 });
    const [one] = fill(places, stranger("a"), 2);
    assert.ok(one);
    for (let i = 0; i < 3; i++) places.leave("a", one);
    assert.deepEqual([places.taken, places.takenBy("a")], [1, 1]);
  });

  test("hold their bounds, starve no peer while another holds more, and forget peers that left", () => {
    const step = fc.record({
      peer: fc.integer({ min: 0, max: 5 }),
      idle: fc.boolean(),
      leaves: fc.boolean(),
      at: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const places = new Places({ inAll: 12, perPeer: 5, kept: 2 });
        const live: { key: string; holder: Holder }[] = [];
        for (const { peer, idle, leaves, at } of steps) {
          const key = `${peer}`;
          const favoured = peer === 0;
          const gone = live[at];
          if (leaves && gone !== undefined) {
            places.leave(gone.key, gone.holder);
            live.splice(at, 1);
          } else {
            const before = live.filter((one) => one.key === key).length;
            const holdsMore = live.some(
              ({ key: other, holder }) =>
                holder.isIdle && other !== "0" && live.filter((one) => one.key === other).length >= Math.max(1, before),
            );
            const holder = new Holder(idle);
            const entered = places.enter({ key, favoured }, holder);
            if (entered) live.push({ key, holder });
            else assert.ok(!holdsMore || (!favoured && before >= 5), `${key} starves`);
          }
          for (let i = live.length - 1; i >= 0; i--) if (live[i]?.holder.isEvicted === true) live.splice(i, 1);
          assert.equal(places.taken, live.length);
          assert.ok(places.taken <= 12 && live.filter((one) => one.key !== "0").length <= 12);
          for (let p = 1; p <= 5; p++) assert.ok(places.takenBy(`${p}`) <= 5);
          assert.equal(places.peers, new Set(live.map((one) => one.key)).size);
        }
      }),
    );
  });
});
