/** A small supplier to call: quotes over HTTP whose stock, latency and failures are set while it runs. */
export { type Article, alwaysInStock, catalogue } from "./catalogue.ts";
export { type Settings, SettingsError } from "./settings.ts";
export { type QuoteEvent, type Supplier, type SupplierOptions, startSupplier } from "./start-supplier.ts";
