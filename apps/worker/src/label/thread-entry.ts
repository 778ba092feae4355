/**
 * Where the code of the label threads is, for `new Worker`: `label-thread.ts` beside this file when Node runs the
 * sources, `label-thread.js` beside `main.js` when it runs the bundle, which this file is then a part of.
 */
export function threadEntry(moduleUrl: string): { readonly url: URL; readonly execArgv: string[] } {
  return moduleUrl.endsWith(".ts")
    ? { url: new URL("./label-thread.ts", moduleUrl), execArgv: ["-C", "source"] }
    : { url: new URL("./label-thread.js", moduleUrl), execArgv: [] };
}
