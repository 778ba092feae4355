import type { ClientTls } from "../tls/options.ts";
import { ca, caller, elsewhere, expired, otherCa, server, stranger } from "./certificates.ts";

/** The certificates of the two sides of a connection. */
export interface Certificates {
  readonly server: { readonly certificate: string; readonly key: string };
  readonly client: ClientTls;
}

const good: Certificates = { server, client: { ca, ...caller } };

/** Certificates of which one is wrong, by its fault. The server requires client certificates. */
export const testFaults = {
  none: good,
  "an expired certificate of the server": { ...good, server: expired },
  "a certificate of another host": { ...good, server: elsewhere },
  "another authority at the client": { ...good, client: { ca: otherCa, ...caller } },
  "no client certificate": { ...good, client: { ca } },
  "a client certificate of another authority": { ...good, client: { ca, ...stranger } },
} as const satisfies Readonly<Record<string, Certificates>>;
