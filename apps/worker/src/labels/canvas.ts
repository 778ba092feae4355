import { glyphHeight, glyphOf, glyphWidth } from "./font.ts";
import { encodePng } from "./png.ts";

/** A white sheet to draw on in black. Drawing outside of it has no effect. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  /** Rows as PNG has them: a filter byte of 0, then one bit for each pixel. */
  readonly #rows: Uint8Array;
  readonly #rowBytes: number;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#rowBytes = 1 + Math.ceil(width / 8);
    this.#rows = new Uint8Array(this.#rowBytes * height).fill(0xff);
    for (let y = 0; y < height; y++) this.#rows[y * this.#rowBytes] = 0;
  }

  rectangle(x: number, y: number, width: number, height: number): void {
    const left = Math.max(x, 0);
    const right = Math.min(x + width, this.width);
    const bottom = Math.min(y + height, this.height);
    if (left >= right) return;
    // The bits of the first and the last byte of each row that stay as they are.
    const before = ~(0xff >> (left & 7));
    const after = 0x7f >> ((right - 1) & 7);
    for (let row = Math.max(y, 0); row < bottom; row++) {
      const first = row * this.#rowBytes + 1 + (left >> 3);
      const last = row * this.#rowBytes + 1 + ((right - 1) >> 3);
      if (first === last) this.#clear(first, before | after);
      else {
        this.#clear(first, before);
        for (let byte = first + 1; byte < last; byte++) this.#rows[byte] = 0;
        this.#clear(last, after);
      }
    }
  }

  /** Draws one line of text whose dots are `size` pixels wide; (x, y) is its upper left corner. */
  text(x: number, y: number, text: string, size: number): void {
    let left = x;
    for (const character of text) {
      for (const [row, dots] of glyphOf(character).entries()) {
        for (let column = 0; column < glyphWidth; column++) {
          const isSet = (dots >> (glyphWidth - 1 - column)) & 1;
          if (isSet === 1) this.rectangle(left + column * size, y + row * size, size, size);
        }
      }
      left += (glyphWidth + 1) * size;
    }
  }

  /** Returns the picture as a PNG. */
  png(): Uint8Array {
    return encodePng(this.width, this.height, this.#rows);
  }

  #clear(byte: number, kept: number): void {
    this.#rows[byte] = (this.#rows[byte] ?? 0) & kept;
  }
}

/** Returns the width and height of an ASCII text of `size`. */
export function textSize(text: string, size: number): { width: number; height: number } {
  return { width: Math.max(0, text.length * (glyphWidth + 1) - 1) * size, height: glyphHeight * size };
}
