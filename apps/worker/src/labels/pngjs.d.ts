/** The part of pngjs that labels need. The package has no types. */
declare module "pngjs" {
  interface Options {
    readonly width?: number;
    readonly height?: number;
    /** 0 grey, 2 RGB, 4 grey and alpha, 6 RGB and alpha. */
    readonly colorType?: 0 | 2 | 4 | 6;
    readonly inputColorType?: 0 | 2 | 4 | 6;
    readonly inputHasAlpha?: boolean;
    readonly filterType?: -1 | 0 | 1 | 2 | 3 | 4;
  }
  export class PNG {
    static readonly sync: {
      write(png: PNG, options?: Options): Buffer;
      /** The pixels, always RGBA. */
      read(data: Buffer): PNG;
    };
    constructor(options?: Options);
    readonly width: number;
    readonly height: number;
    data: Buffer;
  }
}
