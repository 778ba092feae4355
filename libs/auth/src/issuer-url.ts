import { IssuerError } from "./errors.ts";

const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Returns the URL of an issuer or of its keys. Throws IssuerError unless it is https, or http on a
 * loopback host, without user, query and fragment.
 */
export function secureUrl(text: string, name: string): URL {
  const url = URL.parse(text);
  const isSecure = url?.protocol === "https:" || (url?.protocol === "http:" && loopbackHosts.has(url.hostname));
  if (url === null || !isSecure) {
    throw new IssuerError(`${name}: expected an https URL, or http on a loopback host, found ${JSON.stringify(text)}`);
  }
  if (url.username !== "" || url.password !== "" || /[?#]/.test(text)) {
    throw new IssuerError(`${name}: expected a URL without user, query and fragment`);
  }
  return url;
}
