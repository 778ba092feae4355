import type { Source } from "../source.ts";

export interface SourceOptions {
  readonly optional?: boolean | undefined;
  readonly cacheFile?: string | undefined;
}

/** One document of a store that a test has for itself. Disposing removes it. */
export interface Store extends AsyncDisposable {
  /** A text that every problem of the source must have: the path, or the endpoint and the key. */
  readonly origin: string;
  source(options?: SourceOptions): Source;
  put(text: string | Uint8Array): Promise<void>;
  delete(): Promise<void>;
  /** Closes every connection, and each new one at once. A test may still change the document. */
  cut(): Promise<void> | void;
  /**
   * Lets the present connections go silent without an end, as a gateway does that has forgotten
   * them. New ones work.
   */
  readonly mute?: () => Promise<void> | void;
  /** Ends `cut`. */
  restore(): Promise<void> | void;
  /** Drops what a watch needs to go on where it stopped, such as old revisions. */
  loseHistory(): Promise<void> | void;
  /** Closes the clients of all sources so far, if they are not closed by the end of a watch. */
  readonly release?: () => Promise<void>;
  /** Returns the number of connections to the store that are open. */
  connections(): number;
}

/** A kind of source that the suite is run over. */
export interface Subject {
  /** The name in the titles of the tests, such as "etcd". */
  readonly name: string;
  /** The reason why its engine is not there. Undefined if it is. */
  readonly skip?: string | undefined;
  /** True for stores behind a network: cases of silence and of the cache file are run. */
  readonly isRemote: boolean;
  /** The longest time until a change is seen after a connection has gone silent. */
  readonly silenceMs?: number | undefined;
  open(): Promise<Store>;
}
