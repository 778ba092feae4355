/**
 * A small supplier with quotes over HTTP. Its stock, latency and failures can change while it runs.
 */
export { type Article, alwaysInStock, catalogue } from "./catalogue.ts";
export { type Settings, SettingsError } from "./settings.ts";
export { type QuoteEvent, type Supplier, type SupplierOptions, startSupplier } from "./start-supplier.ts";
