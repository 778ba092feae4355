/** Writes `dist/sbom.cdx.json`, the bill of materials of the app in the current folder. */
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { billOf, bundleOf } from "./bill.ts";

const folder = process.cwd();
const bill = billOf(await bundleOf(folder), folder, resolve(import.meta.dirname, "../.."));
mkdirSync("dist", { recursive: true });
writeFileSync("dist/sbom.cdx.json", `${JSON.stringify(bill, null, 2)}\n`);
