import { type Abortable, deadline, within } from "@plumbline/concurrency";
import { Client, type ClientConfig } from "pg";
import type { DatabaseAddress } from "./observe.ts";

/** The URL of a database, postgresql://role:password@host:port/name, or a secret that reveals it. */
export type DatabaseUrl = string | { reveal(): string };

/** A URL that may change while the process runs, such as a secret that is rotated. */
export interface FollowedUrl {
  /** Returns the URL in force. Called for each connection, and each second. */
  readonly current: () => DatabaseUrl;
  /** Reads the URL from its origin again. Called when the server refuses a login. */
  readonly reload?: ((options: Abortable) => Promise<unknown>) | undefined;
}

/** The settings of a connection, and how many times they had changed before. */
export interface Login {
  readonly config: ClientConfig;
  readonly generation: number;
  readonly role: string;
}

/** The pause between two readings of a URL whose login is refused. */
const reloadPauseMs = 1_000;
/** The limit for reading it, so that the caller of a connection still learns of the refusal. */
const reloadMs = 2_000;

/** The login in force. It changes with the URL, of which the rest is given once. */
export class Credentials {
  readonly #url: FollowedUrl;
  readonly #rest: ClientConfig;
  readonly #onChange: (login: Login) => void;
  #text: string;
  #login: Login;
  #reloading: Promise<void> | undefined;
  #reloadedAt = Number.NEGATIVE_INFINITY;

  constructor(url: DatabaseUrl | FollowedUrl, rest: ClientConfig, onChange: (login: Login) => void) {
    this.#url = isFollowed(url) ? url : { current: () => url };
    this.#rest = rest;
    this.#onChange = onChange;
    this.#text = textOf(this.#url);
    this.#login = this.#create(0);
  }

  /** Returns the login in force. If the URL has changed, it has the next generation. */
  current(): Login {
    const text = textOf(this.#url);
    if (text === this.#text) return this.#login;
    this.#text = text;
    this.#login = this.#create(this.#login.generation + 1);
    this.#onChange(this.#login);
    return this.#login;
  }

  /**
   * Returns the login to try after the server has refused one, or undefined if there is no other.
   * Reads the URL again if it has not changed, once at a time and at most once a second. Rejects
   * when the signal aborts.
   */
  async after(refused: Login, options: Abortable): Promise<Login | undefined> {
    if (this.current() === refused) await within(this.#reload(), options);
    const login = this.current();
    return login === refused ? undefined : login;
  }

  /** Starts reading, or joins the callers of a reading that runs. Never rejects. */
  #reload(): Promise<void> {
    this.#reloading ??= this.#reloadOnce().finally(() => (this.#reloading = undefined));
    return this.#reloading;
  }

  async #reloadOnce(): Promise<void> {
    if (performance.now() < this.#reloadedAt + reloadPauseMs) return;
    using limit = deadline(reloadMs);
    try {
      await within(Promise.resolve(this.#url.reload?.(limit)), limit);
    } catch {
      // The refused login says more than a failure to find another one.
    }
    this.#reloadedAt = performance.now();
  }

  #create(generation: number): Login {
    const config = { ...this.#rest, connectionString: this.#text };
    return { config, generation, role: new Client(config).user ?? "" };
  }
}

/** Returns the database of a login and its address, without the password. */
export function addressOf({ config }: Login): DatabaseAddress {
  const { host, port, database } = new Client(config);
  return { host, port, database: database ?? "" };
}

export function isFollowed(url: DatabaseUrl | FollowedUrl): url is FollowedUrl {
  return typeof url === "object" && "current" in url;
}

function textOf(url: FollowedUrl): string {
  const current = url.current();
  return typeof current === "string" ? current : current.reveal();
}
