import { decodePrincipal, type Principal, principalName } from "@plumbline/auth";
import { ServiceError } from "@plumbline/errors";
import { ShareKeys } from "../shares/share-keys.ts";
import type { IncomingCall } from "../transport.ts";
import { noCertificate, type SpiffeIdentity } from "./spiffe.ts";
import { SpiffeIds } from "./spiffe-ids.ts";

/** The connection of a call, as far as it says who is at its other end. */
type Origin = Pick<IncomingCall, "peer" | "identity">;

/** The callers that are believed about principals. */
export interface Believed {
  isBelieved(call: Origin): boolean;
  /** Throws `unauthenticated` or `permission_denied` for a caller that may call nothing here. */
  admit?(call: Origin): void;
}

/** The principals of calls, by the setting that says which callers are believed about them. */
export class Principals {
  readonly #believed: Believed;

  constructor(believed: Believed) {
    this.#believed = believed;
  }

  isBelieved(call: Origin): boolean {
    return this.#believed.isBelieved(call);
  }

  admit(call: Origin): void {
    this.#believed.admit?.(call);
  }

  /**
   * Returns the principal that a believed caller names; undefined if it names none, several, or
   * bytes that are none. The word of another caller counts for nothing.
   */
  of(call: Origin & Pick<IncomingCall, "metadata">): Principal | undefined {
    if (!this.isBelieved(call)) return undefined;
    const [bytes, ...others] = call.metadata.getAllBinary(principalName);
    return bytes === undefined || others.length > 0 ? undefined : decodePrincipal(bytes);
  }
}

/** Believes callers by their addresses. Throws an Error for a list that cannot be read. */
export function believedPeers(list: string): Believed {
  const peers = new ShareKeys(list);
  return { isBelieved: ({ peer }) => peers.peer(peer).trusted };
}

/** The callers of a server by their certificates. */
export class Callers implements Believed {
  readonly #ids: SpiffeIds;

  /** Throws a TypeError for a list that `SpiffeIds` cannot read. */
  constructor(list: string) {
    this.#ids = new SpiffeIds("callers", list);
  }

  /** Returns the identity that a client's certificate gives, which TLS has verified. */
  identify(socket: {
    readonly authorized: boolean;
    getPeerX509Certificate(): { readonly raw: Uint8Array } | undefined;
  }): SpiffeIdentity {
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    return certificate === undefined ? noCertificate : this.#ids.identify(certificate.raw);
  }

  isBelieved({ identity }: Origin): boolean {
    return identity !== undefined && this.#ids.includes(identity);
  }

  admit(call: Origin): void {
    const { identity = noCertificate } = call;
    if ("fault" in identity) {
      throw new ServiceError("unauthenticated", `the caller has no identity: ${identity.detail}`, {
        reason: identity.fault === "missing" ? "CALLER_MISSING" : "CALLER_INVALID",
      });
    }
    if (!this.isBelieved(call)) {
      throw new ServiceError("permission_denied", "this service is not for the caller", {
        reason: "CALLER_NOT_ALLOWED",
      });
    }
  }
}
