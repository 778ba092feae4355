import type { PeerCertificate } from "node:tls";
import { SpiffeIds } from "./spiffe-ids.ts";

/** The servers of a client by their certificates. */
export class Servers {
  readonly #ids: SpiffeIds;

  /** Throws a TypeError for a list that `SpiffeIds` cannot read. */
  constructor(list: string) {
    this.#ids = new SpiffeIds("serverIds", list);
  }

  /** Returns the fault of a certificate that TLS has verified; undefined if it has such an id. */
  faultOf({ raw, subjectaltname }: Pick<PeerCertificate, "raw" | "subjectaltname">): Error | undefined {
    const identity = this.#ids.identify(raw);
    if (this.#ids.includes(identity)) return undefined;
    const names = subjectaltname === undefined ? "" : ` (${subjectaltname})`;
    const found = "id" in identity ? ` but for ${identity.id}` : `: ${identity.detail}${names}`;
    return new Error(`the server's certificate is not for ${this.#ids.toString()}${found}`);
  }
}
