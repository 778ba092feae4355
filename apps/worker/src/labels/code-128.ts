import barcodes from "bwip-js/generic";

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
  // oxlint-disable-next-line import/no-named-as-default-member -- the named export is another function, which draws
  const [symbol] = barcodes.raw({ bcid: "code128", text });
  if (symbol === undefined || !("sbs" in symbol)) throw new TypeError("the encoder returned no widths");
  const bars: Bar[] = [];
  let x = 0;
  // The widths of bars and spaces in turn. The first and the last are bars.
  for (const [index, width] of symbol.sbs.entries()) {
    if (index % 2 === 0) bars.push({ x, width });
    x += width;
  }
  return { width: x, bars };
}
