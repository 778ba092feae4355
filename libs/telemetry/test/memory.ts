import { Writable } from "node:stream";

/** A destination that keeps its parsed lines. */
export class Memory extends Writable {
  readonly raw: string[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const line = chunk.toString();
    if (line !== "") this.raw.push(line);
    done();
  }

  get lines(): Record<string, unknown>[] {
    return this.raw.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  get last(): Record<string, unknown> {
    return this.lines.at(-1) ?? {};
  }
}
