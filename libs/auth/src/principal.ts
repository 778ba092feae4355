/** The caller of a request, as the issuer of its access token states it. */
export interface Principal {
  /** The user or the machine: `sub` of the token, 1 to 64 characters. */
  readonly subject: string;
  /** The program that calls for the subject: `client_id` of the token. */
  readonly client: string;
  /** The words of `scope`, each once. Empty if the token has none. */
  readonly scopes: readonly string[];
  /** The times of the token, in milliseconds since the epoch. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}
