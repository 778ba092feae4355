import { type Backoff, deadline, derive, Event, fullJitter, retry, sleep, within } from "@plumbline/concurrency";
import type { Problem } from "../config-error.ts";
import type { Reading, Source } from "../source.ts";
import { cacheOf } from "./document-cache.ts";
import { parseFile } from "./parse-file.ts";
import { utf8 } from "./text-of.ts";

/** The most bytes of a document: the limit of Consul for one value. */
export const maxDocumentBytes = 512 * 1024;

/** The store answered, but does not give the document out. */
export interface Refusal {
  /** The expected state, such as "a user that may read the key". It follows the word "expected". */
  readonly expected: string;
}

export interface DocumentOptions {
  /** The store and the key, for messages. It must have no password. */
  readonly name: string;
  /**
   * Reads the document. Undefined if the store has none. Rejects if the store does not answer.
   * `documentSource` limits the time, and repeats it at the start.
   */
  readonly read: (options: { readonly signal: AbortSignal }) => Promise<Uint8Array | undefined | Refusal>;
  /**
   * Yields once it watches and whenever `read` may have a new result, until `signal` aborts. When
   * it throws or ends, `documentSource` calls it again after a pause with jitter.
   */
  readonly changes: (signal: AbortSignal) => AsyncIterable<unknown>;
  /** If true, a missing document has no settings. Otherwise it is a problem. */
  readonly optional?: boolean | undefined;
  /**
   * A file for the last document that was valid as a part of the whole configuration. It is used
   * when the store does not answer at the start. Only the user of the process can read it.
   */
  readonly cacheFile?: string | undefined;
  /** Called when a document that was read earlier stands in, once until the store answers. */
  readonly onStale?: ((stale: StaleDocument) => void) | undefined;
  /** Called when the cache file cannot be written or used. */
  readonly onCacheFailure?: ((error: unknown) => void) | undefined;
}

/** A document that stands in for the one of a store that does not answer. */
export interface StaleDocument {
  /** The name of the source. */
  readonly source: string;
  /** The reason why the store could not be read. */
  readonly error: unknown;
  /** The time since the document was read. */
  readonly ageMs: number;
  /** The file it is from. Undefined if this process has read it before. */
  readonly cacheFile: string | undefined;
}

const startMs = 5_000;
const readMs = 2_000;
const readAgain: Backoff = { baseMs: 100, maxMs: 1_000 };
const watchAgain: Backoff = { baseMs: 200, maxMs: 1_500 };

/** The last answer of the store. */
interface Answer {
  /** Undefined if the store had no document. */
  readonly bytes: Uint8Array | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * Returns a source over one YAML or JSON document in a remote store, of at most 512 KiB. Problems
 * name its lines, as those of a file do.
 *
 * - While the store does not answer, its last answer stands in. At the start it is the document of
 *   `cacheFile`. Without one the reading has a problem after five seconds.
 * - A document that is removed or becomes empty is a problem, not a return to the defaults.
 */
export function documentSource(options: DocumentOptions): Source {
  const { name, cacheFile } = options;
  const cache = cacheFile === undefined ? undefined : cacheOf(cacheFile, options.onCacheFailure ?? ignore);
  const failed = new Event();
  let known: Answer | undefined;
  let hadContent = false;
  let isStale = false;

  async function ask(signal: AbortSignal | undefined): Promise<Answer | Refusal> {
    const kept = known ?? (await cache?.read());
    try {
      const found = await readWithin(options, { signal, isFirst: kept === undefined });
      isStale = false;
      return found === undefined || found instanceof Uint8Array ? { bytes: found, at: Date.now() } : found;
    } catch (error) {
      signal?.throwIfAborted();
      if (kept === undefined) return { expected: `an answer within ${startMs} ms (${reasonOf(error)})` };
      failed.set();
      if (!isStale) {
        const from = known === undefined ? cacheFile : undefined;
        options.onStale?.({ source: name, error, ageMs: Math.max(Date.now() - kept.at, 0), cacheFile: from });
      }
      isStale = true;
      return kept;
    }
  }

  return {
    name,
    changes: (signal) => changesOf(options, failed, signal),
    async read(settings, { signal } = {}) {
      const answer = await ask(signal);
      if ("expected" in answer) return problem(name, answer.expected);
      known = answer;
      const { bytes } = answer;
      if (bytes === undefined) {
        if (options.optional === true && !hadContent) return { entries: [], problems: [] };
        return problem(name, hadContent ? "the document, which was removed" : "a document, but there is none");
      }
      if (bytes.byteLength > maxDocumentBytes) {
        return problem(name, `a document of at most ${maxDocumentBytes} bytes, not ${bytes.byteLength}`);
      }
      const text = utf8(bytes);
      if (text === undefined) return problem(name, "a document in UTF-8");
      if (text.trim() === "" && hadContent) return problem(name, "content, which it had before");
      hadContent ||= text.trim() !== "";
      const reading = parseFile(name, text, settings);
      return cache === undefined ? reading : { ...reading, accepted: () => cache.write({ bytes, at: answer.at }) };
    },
  };
}

interface Attempt {
  readonly signal: AbortSignal | undefined;
  /** True if there is no document to fall back on. */
  readonly isFirst: boolean;
}

type Found = Uint8Array | undefined | Refusal;

/** Reads once, or again and again while there is nothing to fall back on. */
async function readWithin({ name, read }: DocumentOptions, { signal, isFirst }: Attempt): Promise<Found> {
  using limit = deadline(isFirst ? startMs : readMs, { signal });
  let failure: unknown;
  const once = async (): Promise<Found> => {
    try {
      return await within(read({ signal: limit.signal }), { ms: readMs, what: `a read of ${name}` });
    } catch (error) {
      failure ??= error; // The end of the time would hide it.
      throw error;
    }
  };
  try {
    const attempts = isFirst ? Number.MAX_SAFE_INTEGER : 1;
    return await retry(once, { ...readAgain, attempts, signal: limit.signal, retryable: () => true });
  } catch (error) {
    throw failure ?? error;
  }
}

/** Yields when the document may have changed, and some time after each read that has failed. */
async function* changesOf(options: DocumentOptions, failed: Event, signal: AbortSignal): AsyncIterable<void> {
  using scope = derive({ signal }); // Ends both loops below with this one.
  const due = new Event();
  const loops = [watchOn(options, due, scope.signal), readAgainLater(failed, due, scope.signal)];
  try {
    for (;;) {
      await due.wait(scope);
      yield;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    scope.abort();
    await Promise.allSettled(loops);
  }
}

async function watchOn({ changes }: DocumentOptions, due: Event, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const start = performance.now();
    try {
      for await (const _ of changes(signal)) due.set();
    } catch {
      // The next read reports a store that does not answer.
    }
    signal.throwIfAborted();
    // A watch that lasted counts as a success, not one that only began.
    if (performance.now() - start > watchAgain.maxMs) attempt = 1;
    await sleep(fullJitter(attempt, watchAgain), { signal });
    due.set();
  }
}

async function readAgainLater(failed: Event, due: Event, signal: AbortSignal): Promise<void> {
  for (;;) {
    await failed.wait({ signal });
    await sleep(readAgain.maxMs * (0.5 + Math.random()), { signal });
    due.set();
  }
}

function problem(source: string, expected: string): Reading {
  const one: Problem = { key: "*", source, expected };
  return { entries: [], problems: [one] };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? "";
}

function ignore(): void {}
