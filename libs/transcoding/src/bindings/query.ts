import { ServiceError } from "@plumbline/errors";

/**
 * Parses a query into its parameters, in order, each with all its values. Throws ServiceError
 * invalid_argument for invalid percent-encoding, which `URLSearchParams` would replace with U+FFFD.
 */
export function parseQuery(query: string): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const [name = "", ...value] = pair.split("=");
    const key = decode(name);
    const values = parameters.get(key) ?? [];
    parameters.set(key, values);
    values.push(decode(value.join("=")));
  }
  return parameters;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new ServiceError("invalid_argument", "The query has an invalid percent-encoding. Write % itself as %25.", {
      reason: "MALFORMED_QUERY",
    });
  }
}
