import { Canvas, textSize } from "./canvas.ts";
import { barcodeOf, quietZone } from "./code-128.ts";

/** The content of a packing label. */
export interface LabelContent {
  readonly orderId: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
}

const width = 960;
const height = 480;
const margin = 32;
/** Pixels of one module. The widest text, a UUID, takes 451 modules with its quiet zones. */
const moduleSize = 2;
const barcode = { y: 96, height: 140 };
const list = { y: 292, lineHeight: 28, rows: 6, columns: 2, mostCharacters: 34 };

/**
 * Draws a packing label as a PNG: the order's id as a Code 128 barcode and as text, and the packing
 * list. The same content gives the same bytes.
 */
export function drawLabel(content: LabelContent): Uint8Array {
  const canvas = new Canvas(width, height);
  canvas.text(margin, margin, "Packing label", 5);
  drawBarcode(canvas, content.orderId);
  const idSize = textSize(content.orderId, 3);
  canvas.text(Math.round((width - idSize.width) / 2), barcode.y + barcode.height + 12, content.orderId, 3);
  canvas.rectangle(margin, list.y - 16, width - 2 * margin, 2);
  for (const [index, line] of lines(content.items).entries()) {
    const column = Math.floor(index / list.rows);
    const x = margin + (column * (width - 2 * margin)) / list.columns;
    canvas.text(x, list.y + (index % list.rows) * list.lineHeight, line, 2);
  }
  return canvas.png();
}

function drawBarcode(canvas: Canvas, text: string): void {
  const code = barcodeOf(text);
  const left = Math.floor((width - code.width * moduleSize) / 2);
  if (left < quietZone * moduleSize) throw new RangeError("the order's id is too long for a label");
  for (const bar of code.bars) {
    canvas.rectangle(left + bar.x * moduleSize, barcode.y, bar.width * moduleSize, barcode.height);
  }
}

/**
 * Returns one line for each item. If there are too many, the last line states the number of the
 * others.
 */
function lines(items: LabelContent["items"]): string[] {
  const room = list.rows * list.columns;
  const shown = items.length <= room ? items : items.slice(0, room - 1);
  const texts = shown.map(({ sku, quantity }) => cut(`${quantity} x ${sku}`));
  return shown.length === items.length ? texts : [...texts, `+ ${items.length - shown.length} more`];
}

function cut(text: string): string {
  return text.length <= list.mostCharacters ? text : `${text.slice(0, list.mostCharacters - 2)}..`;
}
