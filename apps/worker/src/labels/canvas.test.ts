import assert from "node:assert/strict";
import { test } from "node:test";
import { PNG } from "pngjs";
import { Canvas } from "./canvas.ts";
import { glyphOf } from "./font.ts";

/** Returns the pixels as another program decodes them: for each row a text of "#" and ".". */
function pixelsOf(canvas: Canvas): string[] {
  const { width, height, data } = PNG.sync.read(Buffer.from(canvas.png()));
  assert.deepEqual([width, height], [canvas.width, canvas.height]);
  return Array.from({ length: height }, (_row, y) =>
    Array.from({ length: width }, (_pixel, x) => {
      const pixel = [...data.subarray((y * width + x) * 4, (y * width + x + 1) * 4)];
      assert.ok(pixel.join() === "0,0,0,255" || pixel.join() === "255,255,255,255", "black or white");
      return pixel[0] === 0 ? "#" : ".";
    }).join(""),
  );
}

test("a picture has one bit for each pixel", () => {
  assert.equal(PNG.sync.read(Buffer.from(new Canvas(9, 2).png())).depth, 1);
});

for (const width of [1, 7, 8, 9, 64, 67]) {
  test(`rectangles of every place and width on a sheet ${width} wide are the pixels that they cover`, () => {
    for (let x = -2; x <= width; x++) {
      for (let size = 0; x + size <= width + 2; size++) {
        const canvas = new Canvas(width, 4);
        canvas.rectangle(x, 1, size, 2);
        const row = Array.from({ length: width }, (_, at) => (at >= x && at < x + size ? "#" : ".")).join("");
        const empty = ".".repeat(width);
        assert.deepEqual(pixelsOf(canvas), [empty, row, row, empty], `${size} wide at ${x}`);
      }
    }
  });
}

test("rectangles are cut at the upper and the lower edge, and keep what is black", () => {
  const canvas = new Canvas(10, 3);
  canvas.rectangle(1, -5, 2, 6);
  canvas.rectangle(2, 2, 7, 9);
  canvas.rectangle(4, 0, 1, 3);
  assert.deepEqual(pixelsOf(canvas), [".##.#.....", "....#.....", "..#######."]);
});

test("text is made of the dots of its glyphs, each a square", () => {
  const canvas = new Canvas(26, 16);
  canvas.text(1, 1, "A7", 2);
  const square = (dots: string) => dots.replaceAll(/./g, "$&$&");
  const lines = glyphOf("A").map((left, row) =>
    [left, glyphOf("7")[row] ?? 0]
      .map((dots) => dots.toString(2).padStart(5, "0").replaceAll("0", ".").replaceAll("1", "#"))
      .join("."),
  );
  const rows = lines.flatMap((line) => Array<string>(2).fill(`.${square(line)}`.padEnd(26, ".")));
  assert.deepEqual(pixelsOf(canvas), [".".repeat(26), ...rows, ".".repeat(26)]);
});
