import { BlockList, isIP, isIPv4 } from "node:net";

/** The proxies whose X-Forwarded-For is trusted: none, a number of hops, or addresses. */
export type TrustProxy = false | number | string;

/** Returns true for the proxy at `address` that is `hop` proxies away. */
export type IsTrusted = (address: string, hop: number) => boolean;

const names: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/**
 * Returns the test that the setting `http.trustProxy` describes. Text is a list with commas of
 * addresses, subnets (`10.0.0.0/8`) and the names loopback, linklocal and uniquelocal. Throws an
 * Error for anything else, and for true: it would believe what each client says of itself.
 */
export function trustOf(setting: unknown): IsTrusted {
  if (setting === false || setting === undefined) return () => false;
  if (typeof setting === "number") return (_address, hop) => hop < setting;
  if (typeof setting !== "string") throw new Error("true would trust every client; set the number of proxies");
  const list = new BlockList();
  for (const entry of setting.split(",").flatMap((one) => names[one.trim()] ?? [one.trim()])) add(list, entry);
  return (address) => list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

function add(list: BlockList, entry: string): void {
  const [text = "", bits, ...more] = entry.split("/");
  const address = plainAddress(text);
  const version = address === undefined ? 0 : isIP(address);
  const longest = version === 4 ? 32 : 128;
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (address === undefined || more.length > 0 || !(length <= longest))
    throw new Error(`${JSON.stringify(entry.slice(0, 64))} is no address, subnet, loopback, linklocal or uniquelocal`);
  list.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
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

/** The longest text that holds an address: an IPv6 address in brackets with zone and port. */
const maxLength = 80;

/**
 * Returns an address without port, brackets and zone; undefined if the text is none. An address
 * that is written as IPv6 (`::ffff:192.0.2.1`, `::ffff:c000:201`) becomes IPv4.
 */
export function plainAddress(text: string): string | undefined {
  if (text.length > maxLength) return undefined;
  if (isIPv4(text)) return text;
  const [, bracketed] = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text) ?? [];
  const [, withPort] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/%.*$/, "");
  if (isIPv4(address)) return bracketed === undefined ? address : undefined;
  if (isIP(address) !== 6) return undefined;
  return mappedAddress(address) ?? address.toLowerCase();
}

function mappedAddress(address: string): string | undefined {
  if (!/ffff:/i.test(address)) return undefined;
  // URL writes each IPv6 address in one way.
  const canonical = URL.parse(`http://[${address}]`)?.hostname ?? "";
  const [, high, low] = /^\[::ffff:([\da-f]{1,4}):([\da-f]{1,4})\]$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

/**
 * Returns the key that a client is counted under: its IPv4 address, or the first 64 bits of its
 * IPv6 address, since one client owns all addresses below those. It has at most 45 characters.
 */
export function clientKey(address: string | undefined): string {
  const plain = address === undefined ? undefined : plainAddress(address);
  if (plain === undefined) return "unknown";
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(zeros).fill("0"), ...after].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
