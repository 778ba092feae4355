/**
 * The file of the label threads for `new Worker`. From the sources it is `label-thread.ts` beside
 * this file; in the bundle it is `label-thread.js` beside `main.js`, which then includes this file.
 */
export function threadEntry(moduleUrl: string): { readonly url: URL; readonly execArgv: string[] } {
  return moduleUrl.endsWith(".ts")
    ? { url: new URL("./label-thread.ts", moduleUrl), execArgv: ["-C", "source"] }
    : { url: new URL("./label-thread.js", moduleUrl), execArgv: [] };
}
