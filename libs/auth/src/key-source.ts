import { background } from "@plumbline/concurrency";
import { ServiceError } from "@plumbline/errors";
import { type Clock, systemClock } from "./clock.ts";
import { discoveryUrl, keysUrlOf, refuseDevelopment } from "./discovery.ts";
import { IssuerError, invalid } from "./errors.ts";
import { getJson } from "./get-json.ts";
import { secureUrl } from "./issuer-url.ts";
import { type Algorithm, type KeySet, parseKeySet, type VerificationKey } from "./key-set.ts";

/** One attempt to get the issuer's keys. */
export interface KeyFetch {
  readonly outcome: "ok" | "failed";
  /** The document that was wrong or missing, and the reason. */
  readonly problem?: string;
  /** One sentence for each key of the set that is not used. */
  readonly ignored: readonly string[];
  /** True if the attempt before ended in the same way: count it, and do not log it again. */
  readonly repeated: boolean;
}

export interface KeySourceOptions {
  /** The issuer, exactly as its tokens name it. */
  readonly issuer: string;
  /** The address of the keys. The default is that of the discovery document. */
  readonly jwksUri?: string | undefined;
  /** Takes an issuer that says that it is for development. The default is false. */
  readonly allowDevelopment?: boolean | undefined;
  /**
   * Returns the certificates to trust for the issuer, in PEM. Called for each request, so that a
   * change applies to the next. The default is those of Node.
   */
  readonly ca?: (() => string | Buffer | undefined) | undefined;
  readonly onFetch?: ((fetch: KeyFetch) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** Returns a number from 0 to below 1. */
  readonly random?: (() => number) | undefined;
  /** The deadline of one request. The default is 5 s. */
  readonly fetchMs?: number | undefined;
}

const maxBytes = 65_536;
const refreshMs = 300_000;
const retryMs = 30_000;
const firstRetryMs = 3_000;
const unknownKeyPauseMs = 30_000;
const maxAgeMs = 24 * 3_600_000;
const maxWaiters = 32;

/** The public keys of one issuer, kept fresh in the background. Made by `openKeySource`. */
export interface KeySource extends AsyncDisposable {
  readonly issuer: string;
  /** The age of the keys in milliseconds; undefined before the first keys. */
  readonly ageMs: number | undefined;
  /**
   * Returns the key of a token's header. An id that is not known gets the keys again, at most once
   * in 30 s, and waits for that. Rejects with TokenError if there is no such key, and with
   * `unavailable`, reason ISSUER_UNREACHABLE, if there are no keys at all.
   */
  find(id: string | undefined, algorithm: Algorithm): Promise<VerificationKey>;
  /** Returns false for a key that the issuer has removed, and if all keys are too old. */
  isCurrent(key: VerificationKey): boolean;
}

/**
 * Opens the keys of an issuer and resolves after the first attempt to get them. Rejects with
 * IssuerError if the issuer's documents contradict the settings. An issuer that is away does not
 * reject: the attempts go on in the background.
 */
export async function openKeySource(options: KeySourceOptions): Promise<KeySource> {
  const source = new Keys(options);
  await source.open();
  return source;
}

class Keys implements KeySource {
  readonly issuer: string;
  readonly #options: KeySourceOptions;
  readonly #clock: Clock;
  readonly #discovery: URL;
  readonly #stop = new AbortController();
  #url: URL | undefined;
  #set: (KeySet & { readonly at: number }) | undefined;
  #fetching: Promise<void> | undefined;
  #lastReport = "";
  #lastUnknownAt = Number.NEGATIVE_INFINITY;
  #waiters = 0;
  #loop: AsyncDisposable | undefined;

  constructor(options: KeySourceOptions) {
    this.issuer = options.issuer;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#discovery = discoveryUrl(options.issuer);
    if (options.jwksUri !== undefined) this.#url = secureUrl(options.jwksUri, "jwksUri");
  }

  async open(): Promise<void> {
    const failure = await this.#refresh();
    if (failure instanceof IssuerError) throw failure;
    this.#loop = background((signal) => this.#run(signal));
  }

  get ageMs(): number | undefined {
    return this.#set === undefined ? undefined : this.#clock.elapsedMs() - this.#set.at;
  }

  isCurrent(key: VerificationKey): boolean {
    return this.#current()?.keys.includes(key) === true;
  }

  async find(id: string | undefined, algorithm: Algorithm): Promise<VerificationKey> {
    let key = this.#lookUp(id);
    if (key === undefined && this.#mayAskFor(id)) {
      this.#waiters += 1;
      try {
        await this.#refresh();
      } finally {
        this.#waiters -= 1;
      }
      key = this.#lookUp(id);
    }
    if (key === undefined) throw invalid("kid", "a key of the issuer");
    if (!key.algorithms.includes(algorithm)) throw invalid("alg", `${key.algorithms.join(" or ")}, as the key says`);
    return key;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop?.[Symbol.asyncDispose]();
    await Promise.allSettled([this.#fetching]);
  }

  #current(): KeySet | undefined {
    return (this.ageMs ?? maxAgeMs) < maxAgeMs ? this.#set : undefined;
  }

  #lookUp(id: string | undefined): VerificationKey | undefined {
    const { keys } = this.#current() ?? unreachable();
    if (id === undefined) return keys.length === 1 ? keys[0] : undefined;
    return keys.find((key) => key.id === id);
  }

  /** Failed attempts count too: an issuer that is away is not asked once per token. */
  #mayAskFor(id: string | undefined): boolean {
    if (id === undefined || this.#waiters >= maxWaiters) return false;
    if (this.#fetching !== undefined) return true;
    const now = this.#clock.elapsedMs();
    if (now - this.#lastUnknownAt < unknownKeyPauseMs) return false;
    this.#lastUnknownAt = now;
    return true;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { random = Math.random } = this.#options;
    for (let failed = false; ; ) {
      const pause = this.#current() === undefined ? firstRetryMs : failed ? retryMs : refreshMs;
      await this.#clock.sleep(pause * (0.9 + 0.2 * random()), { signal });
      failed = (await this.#refresh()) !== undefined;
    }
  }

  /** Gets the keys, or joins the attempt that is under way. Resolves with the failure. */
  async #refresh(): Promise<unknown> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    const [result] = await Promise.allSettled([this.#fetching]);
    return result.status === "rejected" ? result.reason : undefined;
  }

  async #fetch(): Promise<void> {
    let at = this.#discovery;
    try {
      // The address is known from then on: a discovery document is read once.
      this.#url ??= keysUrlOf(await this.#get(at), this.issuer);
      at = this.#url;
      const set = parseKeySet(await this.#get(at));
      this.#set = { ...set, keys: this.#keep(set.keys), at: this.#clock.elapsedMs() };
      this.#report({ outcome: "ok", ignored: set.ignored });
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#report({ outcome: "failed", ignored: [], problem: problemOf(at, error) });
      throw error;
    }
  }

  #report(fetch: Omit<KeyFetch, "repeated">): void {
    const text = JSON.stringify(fetch);
    const repeated = text === this.#lastReport;
    this.#lastReport = text;
    this.#options.onFetch?.({ ...fetch, repeated });
  }

  async #get(url: URL): Promise<unknown> {
    const { ca, fetchMs: ms = 5_000, allowDevelopment = false } = this.#options;
    const document = await getJson(url, { ms, maxBytes, ca: ca?.(), signal: this.#stop.signal });
    if (!allowDevelopment) refuseDevelopment(document);
    return document;
  }

  /** Returns the object that already stands for a key, so that cached tokens of it stay. */
  #keep(keys: readonly VerificationKey[]): readonly VerificationKey[] {
    return keys.map((key) => this.#set?.keys.find(({ text }) => text === key.text) ?? key);
  }
}

function unreachable(): never {
  throw new ServiceError("unavailable", "the issuer of access tokens cannot be reached", {
    reason: "ISSUER_UNREACHABLE",
    retryAfterMs: firstRetryMs,
  });
}

/** An attempt to connect to several addresses fails with an error without a message. */
function problemOf(url: URL, error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return `${url.href}: ${message || code}`;
}
