import { Secret } from "./secret.ts";

/**
 * Returns the URL with another password, which may have any characters, so that a password can be a
 * secret of its own. Without a password it returns the URL as it is. Throws if the URL has no host.
 */
export function urlWithPassword(url: Secret, password: Secret | undefined): Secret {
  if (password === undefined) return url;
  const result = new URL(url.reveal());
  if (result.host === "") throw new TypeError("the URL has no host: write the password into the URL");
  // The setter alone leaves a percent sign as it is.
  result.password = encodeURIComponent(password.reveal());
  return new Secret(result.href);
}
