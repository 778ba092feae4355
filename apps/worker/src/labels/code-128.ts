import { code128, type DrawingContext } from "bwip-js/generic";

/** One black bar, in modules. A module is the width of the narrowest bar. */
export interface Bar {
  readonly x: number;
  readonly width: number;
}

export interface Barcode {
  /** The width in modules, without the quiet zones. */
  readonly width: number;
  readonly bars: readonly Bar[];
}

/**
 * White modules on each side of a Code 128. Without them scanners do not find its start (ISO/IEC
 * 15417).
 */
export const quietZone = 10;

/**
 * Returns the bars of `text`, 1 to 80 printable ASCII characters, in Code 128 with its check
 * character.
 */
export function barcodeOf(text: string): Barcode {
  // The encoder reads escapes such as ^NNN only with an option, so the text is encoded literally.
  if (!/^[\x20-\x7e]{1,80}$/.test(text)) throw new RangeError("a barcode has 1 to 80 printable ASCII characters");
  return code128({ bcid: "code128", text, scale: 1, height: 10 }, collector());
}

/** Receives the encoder's drawing calls, with one pixel per module, and keeps only the bars. */
function collector(): DrawingContext<Barcode> {
  const bars: Bar[] = [];
  let total = 0;
  return {
    scale: (x, y) => [x, y],
    measure: () => ({ width: 0, ascent: 0, descent: 0 }),
    init: (width) => {
      total = width;
    },
    line: (x0, _y0, _x1, _y1, width) => {
      // x0 is the middle of the bar; if the width is odd, the pixel right of the middle.
      bars.push({ x: x0 - Math.ceil(width / 2), width });
    },
    polygon: () => {},
    hexagon: () => {},
    ellipse: () => {},
    fill: () => {},
    text: () => {},
    end: () => ({ width: total, bars }),
  };
}
