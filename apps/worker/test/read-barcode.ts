import assert from "node:assert/strict";
import { PNG } from "pngjs";

/**
 * Reads the Code 128 of a picture like a scanner: measures bars and spaces along one row, and finds
 * the symbols in the table of ISO/IEC 15417. The table is separate from the encoder, so that an
 * error there is noticed.
 */
export function readBarcode(png: Uint8Array, row: number): string {
  const widths = runs(png, row);
  const symbols: number[] = [];
  // A symbol is three bars and three spaces; the stop symbol has one more bar.
  for (let at = 0; at < widths.length - 7; at += 6) symbols.push(symbolOf(widths.slice(at, at + 6)));
  assert.deepEqual(widths.slice(-7), [2, 3, 3, 1, 1, 1, 2], "ends with the stop symbol");
  const check = symbols.pop();
  const sum = symbols.reduce((total, symbol, index) => total + symbol * Math.max(index, 1), 0);
  assert.equal(check, sum % 103, "the check character is right");
  return textOf(symbols);
}

/**
 * Returns the widths of bars and spaces in modules, from the first bar to the last, between two
 * quiet zones.
 */
function runs(png: Uint8Array, row: number): number[] {
  const { width, data } = PNG.sync.read(Buffer.from(png));
  const isBlack = Array.from({ length: width }, (_, x) => (data[(row * width + x) * 4] ?? 255) < 128);
  const first = isBlack.indexOf(true);
  const last = isBlack.lastIndexOf(true);
  const pixels: number[] = [];
  for (let x = first; x <= last; x++) {
    if (x > first && isBlack[x] === isBlack[x - 1]) pixels[pixels.length - 1] = (pixels.at(-1) ?? 0) + 1;
    else pixels.push(1);
  }
  const module = Math.min(...pixels);
  assert.ok(first >= 10 * module && width - 1 - last >= 10 * module, "a quiet zone on each side");
  return pixels.map((count) => {
    assert.equal(count % module, 0, "every bar is a whole number of modules wide");
    return count / module;
  });
}

function symbolOf(widths: readonly number[]): number {
  const symbol = patterns.indexOf(widths.join(""));
  assert.notEqual(symbol, -1, `${widths.join("")} is no symbol`);
  return symbol;
}

function textOf([start, ...symbols]: readonly number[]): string {
  let set = { 103: "A", 104: "B", 105: "C" }[start as number];
  let text = "";
  for (const symbol of symbols) {
    if (set === "C" && symbol < 100) text += String(symbol).padStart(2, "0");
    else if (symbol === 99) set = "C";
    else if (symbol === 100) set = "B";
    else if (symbol === 101) set = "A";
    else {
      assert.equal(set, "B", "only sets B and C are expected");
      assert.ok(symbol < 96, "only characters are expected");
      text += String.fromCharCode(symbol + 32);
    }
  }
  return text;
}

const patterns = (
  "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 " +
  "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 " +
  "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 " +
  "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 " +
  "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 " +
  "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 " +
  "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232"
).split(" ");
