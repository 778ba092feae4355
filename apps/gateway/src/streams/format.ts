/** How the messages of a stream are written: as events, or as lines. */
export interface StreamFormat {
  readonly contentType: string;
  /** The first bytes. */
  open(retryMs: number): string;
  message(json: string, id: string | undefined): string;
  /** Keeps proxies from closing a stream that is silent. */
  readonly heartbeat: string;
  /** The stream failed. `problem` is the JSON of a problem document. */
  failure(problem: string): string;
  /** The service has ended the stream: there is no more to come. */
  readonly end: string;
  /** The gateway ends the stream: come again, in `retryMs`. */
  again(retryMs: number): string;
}
