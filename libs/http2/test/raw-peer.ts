/** A peer that sends any frames, for behaviour that an honest one never shows. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FrameReader } from "../src/frames/reader.ts";
import { Flag, FrameType, preface } from "../src/frames/types.ts";
import { Encoder } from "../src/hpack/encoder.ts";
import { HeaderField } from "../src/hpack/field.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, 9);
  return bytes;
}

export const settings = (...pairs: readonly [id: number, value: number][]): Buffer => {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return frame(FrameType.settings, 0, 0, payload);
};

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export function block(...fields: readonly [string, string][]): Buffer {
  const list = fields.map(([name, value]) => new HeaderField(name, value));
  const bytes = Buffer.alloc(Encoder.bound(list));
  return bytes.subarray(0, new Encoder().write(bytes, 0, list));
}

export const getBlock = block([":method", "GET"], [":scheme", "http"], [":path", "/"], [":authority", "test"]);

export function request(streamId: number, isLast = true): Buffer {
  return frame(FrameType.headers, Flag.endHeaders | (isLast ? Flag.endStream : 0), streamId, getBlock);
}

export class RawPeer implements Disposable {
  readonly frames: Frame[] = [];
  readonly socket: Socket;
  readonly #waiting = new Set<() => void>();
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const reader = new FrameReader(2 ** 24, (type, flags, streamId, bytes, start, end) => {
      this.frames.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(start, end)) });
    });
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk);
      this.#wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Connects as a client, and sends the preface and settings. */
  static async of(port: number, ...pairs: readonly [number, number][]): Promise<RawPeer> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    const peer = new RawPeer(socket);
    peer.send(preface, settings(...pairs), frame(FrameType.settings, Flag.ack, 0));
    return peer;
  }

  send(...frames: readonly Uint8Array[]): void {
    if (!this.isClosed) this.socket.write(Buffer.concat(frames));
  }

  /** Resolves with `find()` once it finds something; rejects if the connection is closed before. */
  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      if (this.isClosed) throw new Error("the connection was closed before");
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  frame(type: number, streamId?: number): Promise<Frame> {
    return this.until(() =>
      this.frames.find((one) => one.type === type && one.streamId === (streamId ?? one.streamId)),
    );
  }

  /** Resolves with the error code of the GOAWAY that ends the connection. */
  async goneWith(): Promise<number> {
    await this.until(
      () => this.isClosed || this.frames.some((one) => isGoAway(one) && one.payload.readUInt32BE(4) !== 0),
    );
    return this.frames.findLast(isGoAway)?.payload.readUInt32BE(4) ?? -1;
  }

  /** Returns the octets of DATA received for a stream. */
  received(streamId: number): number {
    return this.frames
      .filter((one) => one.type === FrameType.data && one.streamId === streamId)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Waits until everything sent so far was read and answered. */
  async synchronised(): Promise<void> {
    const opaque = Buffer.alloc(8);
    opaque.writeDoubleBE(performance.now());
    this.send(frame(FrameType.ping, 0, 0, opaque));
    await this.until(() =>
      this.frames.some(
        ({ type, flags, payload }) => type === FrameType.ping && flags === Flag.ack && payload.equals(opaque),
      ),
    );
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

function isGoAway({ type }: Frame): boolean {
  return type === FrameType.goAway;
}
