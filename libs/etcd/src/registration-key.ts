import type { Address } from "@plumbline/rpc/discovery";
import { z } from "zod";

export const usualPrefix = "plumbline/services/";

const AddressValue = z.object({ host: z.string().min(1), port: z.int().min(0).max(65_535) });

/** Returns the start of the keys of a service's instances. */
export function instancesOf(prefix: string, service: string): string {
  return `${prefix}${encodeURIComponent(service)}/`;
}

/** Returns the value of an instance's key. */
export function valueOf({ host, port }: Address): string {
  return JSON.stringify({ host, port });
}

/** Returns the address in a value, or undefined if there is none. */
export function addressOf(value: Uint8Array): Address | undefined {
  try {
    return AddressValue.safeParse(JSON.parse(Buffer.from(value).toString())).data;
  } catch {
    return undefined;
  }
}
