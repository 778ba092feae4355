import { ServiceError } from "@plumbline/errors";
import type { Http2Stream } from "@plumbline/http2";
import type { UnaryResponse } from "../../client/channel.ts";
import { Metadata } from "../../metadata.ts";
import type { OutgoingCall } from "../../transport.ts";
import { inflate } from "./gzip.ts";
import { MessageReader, prefixOf } from "./messages.ts";
import { checkSize, type Dispatcher, Outgoing } from "./outgoing.ts";

/** A unary call: one request, one response, and no object in between. */
export class UnaryOutgoing extends Outgoing {
  readonly #request: Uint8Array;
  readonly #resolve: (response: UnaryResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #reader: MessageReader;
  #message: Uint8Array | undefined;
  #isCompressed = false;

  constructor(
    dispatcher: Dispatcher,
    outgoing: OutgoingCall,
    request: Uint8Array,
    resolve: (response: UnaryResponse) => void,
    reject: (error: unknown) => void,
  ) {
    super(dispatcher, outgoing);
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#reader = new MessageReader(dispatcher.maxMessageBytes, (message, _octets, isCompressed) =>
      this.#take(message, isCompressed),
    );
  }

  protected override get isRepeatable(): boolean {
    return true;
  }

  protected override get isWithinMessage(): boolean {
    return !this.#reader.isAtEnd;
  }

  protected override expectGzip(): void {
    this.#reader.hasEncoding = true;
  }

  override begin(): void {
    checkSize(this.#request, this.dispatcher.maxMessageBytes);
    super.begin();
  }

  protected override sendRequests(stream: Http2Stream): void {
    stream.sendData(this.#request, true, prefixOf(this.#request));
  }

  override onData(bytes: Buffer, isLast: boolean): void {
    if (this.isOver) return;
    try {
      this.#reader.push(bytes);
      this.stream?.consume(bytes.length); // The response is kept, up to the bound of a message.
    } catch (error) {
      return this.cancel(error);
    }
    if (isLast) this.cancel(new ServiceError("internal", "the server ended the call without a grpc-status"));
  }

  override onDrain(): void {}

  #take(message: Uint8Array, isCompressed: boolean): void {
    if (this.#message !== undefined) throw new ServiceError("unimplemented", "the server answered with two messages");
    this.#message = message;
    this.#isCompressed = isCompressed;
  }

  protected override settle(error: unknown, trailers: Metadata | undefined): void {
    if (trailers !== undefined) this.outgoing.onTrailers?.(trailers);
    if (error !== undefined) return this.#reject(error);
    if (this.#message === undefined) {
      return this.#reject(new ServiceError("unimplemented", "the server answered without a message"));
    }
    const response = { message: this.#message, headers: this.headers, trailers: trailers ?? new Metadata() };
    if (this.#isCompressed) void this.#inflate(response);
    else this.#resolve(response);
  }

  async #inflate(response: UnaryResponse): Promise<void> {
    try {
      const message = await inflate(response.message, this.dispatcher.maxMessageBytes, "");
      this.#resolve({ ...response, message });
    } catch (error) {
      this.#reject(error);
    }
  }
}
