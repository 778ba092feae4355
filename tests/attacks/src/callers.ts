/** Those who the requests of this program name, where a gateway asks for tokens. */

let fields: readonly string[] = [];
let turn = 0;

/** Sends the requests from now on with these values of `authorization`, in turn. */
export function actAs(authorizations: readonly string[]): void {
  fields = authorizations;
}

/** Returns the header of the next caller; none without callers. */
export function nextCaller(): Readonly<Record<string, string>> {
  const authorization = fields[turn++ % fields.length];
  return authorization === undefined ? {} : { authorization };
}

/** Returns the same as a line of a request that is written by hand. */
export function nextCallerLine(): string {
  const { authorization } = nextCaller();
  return authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
}
