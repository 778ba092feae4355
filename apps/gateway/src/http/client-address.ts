import { addressList, plainAddress } from "@plumbline/rpc/shares";

export { addressKey as clientKey, plainAddress } from "@plumbline/rpc/shares";

/** The proxies whose X-Forwarded-For is trusted: none, a number of hops, or addresses. */
export type TrustProxy = false | number | string;

/** Returns true for the proxy at `address` that is `hop` proxies away. */
export type IsTrusted = (address: string, hop: number) => boolean;

/**
 * Returns the test that the setting `http.trustProxy` describes. Text is a list with commas of
 * addresses, subnets (`10.0.0.0/8`) and the names loopback, linklocal and uniquelocal. Throws an
 * Error for anything else, and for true: it would believe what each client says of itself.
 */
export function trustOf(setting: unknown): IsTrusted {
  if (setting === false || setting === undefined) return () => false;
  if (typeof setting === "number") return (_address, hop) => hop < setting;
  if (typeof setting !== "string") throw new Error("true would trust every client; set the number of proxies");
  return addressList(setting);
}

/**
 * Returns the address of a request's client: the last one in X-Forwarded-For that no trusted proxy
 * added. Returns the socket's address if that one is no address: a proxy then passed on a client's
 * own words. The result has at most 45 characters.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: IsTrusted,
): string | undefined {
  const socket = socketAddress === undefined ? undefined : plainAddress(socketAddress);
  if (forwardedFor === undefined || socket === undefined) return socket;
  let client = socket;
  let end = forwardedFor.length;
  for (let hop = 0; end >= 0 && isTrusted(client, hop); hop++) {
    const comma = forwardedFor.lastIndexOf(",", end - 1);
    const address = plainAddress(forwardedFor.slice(comma + 1, end).trim());
    if (address === undefined) return socket;
    client = address;
    // Zero has no character before it: lastIndexOf would find a comma at 0 again.
    end = comma <= 0 ? -1 : comma;
  }
  return client;
}
