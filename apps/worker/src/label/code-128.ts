import { code128, type DrawingContext } from "bwip-js/generic";

/** One black bar, in modules: the width of the narrowest bar. */
export interface Bar {
  readonly x: number;
  readonly width: number;
}

export interface Barcode {
  /** In modules, without the quiet zones. */
  readonly width: number;
  readonly bars: readonly Bar[];
}

/** Modules that stay white on each side of a Code 128, or scanners do not find where it begins (ISO/IEC 15417). */
export const quietZone = 10;

/** The bars that say `text`, 1 to 80 printable ASCII characters, in Code 128 with its check character. */
export function barcodeOf(text: string): Barcode {
  // The encoder reads escapes such as ^NNN only when asked to, so a text is taken as it is.
  if (!/^[\x20-\x7e]{1,80}$/.test(text)) throw new RangeError("a barcode says 1 to 80 printable ASCII characters");
  return code128({ bcid: "code128", text, scale: 1, height: 10 }, collector());
}

/** Takes the encoder's drawing calls at one pixel to the module: of the picture only the bars are wanted. */
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
      // x0 is the middle of the bar, of an odd width the pixel right of it.
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
