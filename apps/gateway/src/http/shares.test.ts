import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { Shares } from "./shares.ts";

const [perClient, inAll] = [20, 50];
const clients = ["a", "b", "c", "d", "e"] as const;
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("take" as const),
      client: fc.constantFrom(...clients),
      amount: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("give back" as const), which: fc.nat(40) }) },
);

const sum = (amounts: readonly { readonly amount: number }[]) => amounts.reduce((all, { amount }) => all + amount, 0);

describe("shares", () => {
  test("under any interleaving, bounds hold, and only a bound refuses a client", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const shares = new Shares(() => ({ perClient, inAll }));
        const held: { client: string; amount: number }[] = [];
        const of = (client: string) => held.filter((one) => one.client === client);
        for (const each of steps) {
          if (each.kind === "give back") {
            const [gone] = held.splice(each.which, 1);
            if (gone !== undefined) shares.remove(gone.client, gone.amount);
          } else {
            const { client, amount } = each;
            const bound = shares.exceeded(client, amount);
            const own = of(client);
            if (bound === "client") assert.ok(own.length > 0 && sum(own) + amount > perClient, "the client has room");
            if (bound === "all") assert.ok(held.length > 0 && sum(held) + amount > inAll, "there is room for all");
            if (bound === undefined) {
              shares.add(client, amount);
              held.push({ client, amount });
            }
          }
          // One amount may exceed a bound alone: an answer has the size that it has.
          assert.ok(held.length <= 1 || sum(held) <= inAll, `${sum(held)} in all`);
          for (const client of clients) assert.ok(of(client).length <= 1 || sum(of(client)) <= perClient, client);
          assert.deepEqual([shares.held, shares.clients], [sum(held), new Set(held.map((one) => one.client)).size]);
        }
        for (const { client, amount } of held) shares.remove(client, amount);
        assert.deepEqual([shares.held, shares.clients], [0, 0]);
      }),
    );
  });

  test("clients that take all they get leave room for as many others as there are shares in all", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 200 }), (amounts) => {
        const shares = new Shares(() => ({ perClient, inAll }));
        for (const [i, amount] of amounts.entries()) {
          const greedy = `greedy ${i % 2}`;
          if (shares.exceeded(greedy, amount) === undefined) shares.add(greedy, amount);
        }
        assert.equal(shares.exceeded("polite", inAll - 2 * perClient), undefined);
      }),
    );
  });

  test("a bound that is lowered while it is held refuses more, and takes nothing away", () => {
    let limits = { perClient, inAll };
    const shares = new Shares(() => limits);
    shares.add("a", 20);
    limits = { perClient: 5, inAll: 10 };
    assert.equal(shares.exceeded("a", 1), "client");
    assert.equal(shares.exceeded("b", 1), "all");
    assert.equal(shares.held, 20);
    shares.remove("a", 20);
    assert.equal(shares.exceeded("a", 1), undefined);
  });
});
