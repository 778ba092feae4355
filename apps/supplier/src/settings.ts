import { alwaysInStock, catalogue } from "./catalogue.ts";

/** The settings of the supplier. Each can change while it runs. */
export interface Settings {
  /** The time of a response, 0 to 60,000 ms, and the largest random addition. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** The share of quotes that fail with 503, 0 to 1. */
  readonly failureRate: number;
  /** SKUs whose quotes fail with 503 at once. */
  readonly failing: readonly string[];
  /** The stock of each SKU. */
  readonly stock: Readonly<Record<string, number>>;
}

export const defaultSettings: Settings = {
  latencyMs: 0,
  jitterMs: 0,
  failureRate: 0,
  failing: [],
  stock: Object.fromEntries([...catalogue].map(([sku, { available }]) => [sku, available])),
};

/** An invalid change of settings, with every problem. Nothing of such a change is applied. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

/**
 * Returns the settings after a change: merges `stock` SKU by SKU and replaces the others. Throws
 * SettingsError.
 */
export function changed(settings: Settings, change: unknown): Settings {
  if (!isObject(change)) throw new SettingsError(["the body must be a JSON object"]);
  const problems: string[] = [];
  for (const [key, value] of Object.entries(change)) {
    const check = Object.hasOwn(checks, key) ? checks[key as keyof Settings] : undefined;
    if (check === undefined) problems.push(`${key} is not a setting: there are ${Object.keys(checks).join(", ")}`);
    else problems.push(...check(value).map((problem) => `${key}${problem}`));
  }
  if (problems.length > 0) throw new SettingsError(problems);
  const valid = change as Partial<Settings>;
  return { ...settings, ...valid, stock: { ...settings.stock, ...valid.stock } };
}

const checks: Readonly<Record<keyof Settings, (value: unknown) => string[]>> = {
  latencyMs: milliseconds,
  jitterMs: milliseconds,
  failureRate: (value) => (isNumber(value, 0, 1) ? [] : [" must be a number from 0 to 1"]),
  failing: (value) =>
    Array.isArray(value) && value.every((sku) => catalogue.has(sku))
      ? []
      : [" must be an array of SKUs of the catalogue"],
  stock: (value) => {
    if (!isObject(value)) return [" must be an object of SKU to number"];
    return Object.entries(value).flatMap(([sku, available]) => {
      if (!catalogue.has(sku)) return [`.${sku} is not in the catalogue`];
      if (sku === alwaysInStock) return [`.${sku} is always in stock`];
      return Number.isInteger(available) && isNumber(available, 0, 1_000_000)
        ? []
        : [`.${sku} must be an integer from 0 to 1000000`];
    });
  },
};

function milliseconds(value: unknown): string[] {
  return Number.isInteger(value) && isNumber(value, 0, 60_000) ? [] : [" must be an integer from 0 to 60000"];
}

function isNumber(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
