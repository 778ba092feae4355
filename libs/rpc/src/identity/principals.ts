import { decodePrincipal, type Principal, principalName } from "@plumbline/auth";
import { ServiceError } from "@plumbline/errors";
import { fromBase64 } from "../metadata.ts";
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
  /** The principals that were named last, by what named them. */
  readonly #known = new Map<string, Principal>();

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
    const [text, ...others] = call.metadata.getAllBase64(principalName);
    return text === undefined || others.length > 0 ? undefined : this.#decode(text);
  }

  /** A caller sends the same for all calls with a token, and decoding costs ten times a look-up. */
  #decode(text: string): Principal | undefined {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const principal = decodePrincipal(fromBase64(text));
    if (principal === undefined || text.length > maxKnownLength) return principal;
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(text, principal);
    return principal;
  }
}

/** The principals that are remembered, and the longest of them: at most 2 MB of text. */
const maxKnown = 1_000;
const maxKnownLength = 2_000;

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
