import { PNG } from "pngjs";
import { glyphHeight, glyphOf, glyphWidth } from "./font.ts";

const black = 0;
const white = 255;

/** A white sheet of grey pixels to draw on. Drawing outside of it has no effect. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #pixels: Buffer;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#pixels = Buffer.alloc(width * height, white);
  }

  rectangle(x: number, y: number, width: number, height: number): void {
    const right = Math.min(x + width, this.width);
    const bottom = Math.min(y + height, this.height);
    for (let row = Math.max(y, 0); row < bottom; row++) {
      this.#pixels.fill(black, row * this.width + Math.max(x, 0), row * this.width + Math.max(right, 0));
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

  /**
   * Returns the picture as a PNG of 8-bit grey. Filter 2 stores each row as the difference from the
   * one above, because rows repeat.
   */
  png(): Uint8Array {
    const png = new PNG({ width: this.width, height: this.height, inputColorType: 0, inputHasAlpha: false });
    png.data = this.#pixels;
    return PNG.sync.write(png, { colorType: 0, inputColorType: 0, inputHasAlpha: false, filterType: 2 });
  }
}

/** Returns the width and height of an ASCII text of `size`. */
export function textSize(text: string, size: number): { width: number; height: number } {
  return { width: Math.max(0, text.length * (glyphWidth + 1) - 1) * size, height: glyphHeight * size };
}
