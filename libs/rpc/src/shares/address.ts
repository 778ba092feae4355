import { BlockList, isIP, isIPv4 } from "node:net";

const names: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  linklocal: ["169.254.0.0/16", "fe80::/10"],
  uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/**
 * Returns the test whether a plain address is in a list with commas of addresses, subnets
 * (`10.0.0.0/8`) and the names loopback, linklocal and uniquelocal. Throws an Error for another
 * entry.
 */
export function addressList(list: string): (address: string) => boolean {
  const found = new BlockList();
  for (const entry of list.split(",").flatMap((one) => names[one.trim()] ?? [one.trim()])) add(found, entry);
  return (address) => found.check(address, isIPv4(address) ? "ipv4" : "ipv6");
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
 * Returns the key that an address is counted under: an IPv4 address itself, or the first 64 bits of
 * an IPv6 address, since one client owns all addresses below those. It has at most 45 characters.
 */
export function addressKey(address: string | undefined): string {
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
