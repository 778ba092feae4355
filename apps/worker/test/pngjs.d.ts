/** The part of pngjs that tests need: they decode labels by it. The package has no types. */
declare module "pngjs" {
  export class PNG {
    static readonly sync: {
      /** The pixels, always RGBA. Throws if a CRC or the length of the data is wrong. */
      read(data: Buffer): PNG;
    };
    readonly width: number;
    readonly height: number;
    readonly data: Buffer;
    /** Bits for each sample. */
    readonly depth: number;
  }
}
