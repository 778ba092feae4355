import { isObject } from "./json.ts";
import type { Principal } from "./principal.ts";

/**
 * The metadata that carry the principal of a call between services. Only the edge sets them, and a
 * service believes them only from the callers that a setting names.
 */
export const principalName = "plumbline-principal-bin";

/** More than the largest token holds. */
const maxBytes = 8_192;

/** Returns a principal as bytes: JSON in UTF-8, which programs in other languages read too. */
export function encodePrincipal({ subject, client, scopes, issuedMs, expiresMs }: Principal): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ subject, client, scopes, issuedMs, expiresMs }));
}

/** Returns the principal in the bytes, or undefined if they are not one. */
export function decodePrincipal(bytes: Uint8Array): Principal | undefined {
  if (bytes.length > maxBytes) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { subject, client, scopes, issuedMs, expiresMs } = value;
  if (typeof subject !== "string" || subject === "" || typeof client !== "string") return undefined;
  if (!Array.isArray(scopes) || !scopes.every((scope) => typeof scope === "string")) return undefined;
  if (!isTime(issuedMs) || !isTime(expiresMs)) return undefined;
  return Object.freeze({ subject, client, scopes: Object.freeze(scopes), issuedMs, expiresMs });
}

/** JSON.parse makes Infinity of 1e400. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
