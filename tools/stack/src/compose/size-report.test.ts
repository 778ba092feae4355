import assert from "node:assert/strict";
import test from "node:test";
import type { SavedImage } from "./saved-images.ts";
import { sizeReport } from "./size-report.ts";

const targets = { own: 30, together: 200 };
const image = (name: string, own: number): [string, SavedImage] => [
  name,
  {
    name,
    layers: [
      { id: "debian", compressed: 60 },
      { id: "node", compressed: 40 },
      { id: name, compressed: own },
    ],
  },
];

test("layers that all images share count once", () => {
  const { text, ok } = sizeReport(new Map([image("a", 20), image("b", 10)]), new Set(["a", "b"]), {
    own: 30,
    together: 131,
  });
  assert.match(text, /shared by all\s+0\.00 MB/);
  assert.equal(ok, true);
});

test("the total is of the counted images only", () => {
  const images = new Map([image("a", 20), image("b", 20), image("stand-in", 20)]);
  assert.equal(sizeReport(images, new Set(["a", "b"]), { own: 30, together: 141 }).ok, true);
  assert.equal(sizeReport(images, new Set(["a", "b", "stand-in"]), { own: 30, together: 141 }).ok, false);
});

test("an own layer at its target misses it, and is named", () => {
  const { text, ok } = sizeReport(new Map([image("a", 30), image("b", 10)]), new Set(["a", "b"]), targets);
  assert.equal(ok, false);
  assert.match(text, /^a .*MISSED: own layer/m);
  assert.doesNotMatch(text, /^b .*MISSED/m);
});

test("a total at its target misses it", () => {
  const { text, ok } = sizeReport(new Map([image("a", 29), image("b", 28)]), new Set(["a", "b"]), {
    own: 30,
    together: 157,
  });
  assert.equal(ok, false);
  assert.match(text, /^together.*MISSED/m);
});

test("a layer that only some images share is their own", () => {
  const [, a] = image("a", 10);
  const [, b] = image("b", 10);
  const odd = { name: "odd", layers: [{ id: "debian", compressed: 60 }] };
  const images = new Map([
    ["a", a],
    ["b", b],
    ["odd", odd],
  ]);
  assert.match(sizeReport(images, new Set(["a"]), targets).text, /^a .*MISSED: own layer/m);
});
