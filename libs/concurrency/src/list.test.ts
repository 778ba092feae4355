import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { List, type Place } from "./list.ts";

test("a list behaves as an array, also when values are removed anywhere", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("append" as const) }),
    fc.record({ do: fc.constant("shift" as const) }),
    fc.record({ do: fc.constant("remove" as const), which: fc.nat(50) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new List<number>();
      const model: number[] = [];
      const places: Place<number>[] = [];
      for (const [number, step] of steps.entries()) {
        if (step.do === "append") {
          places.push(list.append(number));
          model.push(number);
        } else if (step.do === "shift") {
          assert.equal(list.shift()?.value, model.shift());
        } else {
          // Any earlier place, also one that was removed before.
          const place = places[step.which % Math.max(places.length, 1)];
          if (place === undefined) continue;
          list.remove(place);
          const at = model.indexOf(place.value);
          if (at !== -1) model.splice(at, 1);
        }
        assert.equal(list.length, model.length);
      }
      const rest: (number | undefined)[] = [];
      while (list.length > 0) rest.push(list.shift()?.value);
      assert.deepEqual(rest, model);
    }),
  );
});

test("removing a place from another list does nothing", () => {
  const [here, there] = [new List<number>(), new List<number>()];
  const place = here.append(1);
  there.append(2);
  there.remove(place);
  assert.equal(there.length, 1);
  assert.equal(here.length, 1);
});

test("undefined is a value like any other", () => {
  const list = new List<undefined>();
  list.append(undefined);
  assert.deepEqual(list.shift()?.value, undefined);
  assert.equal(list.shift(), undefined);
});
