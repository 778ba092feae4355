/** The entry of a worker thread: draws each label it is sent and sends it back. LabelThreads starts and ends it. */
import { parentPort } from "node:worker_threads";
import { drawLabel, type LabelContent } from "./draw-label.ts";

if (parentPort === null) throw new Error("label-thread runs as a worker thread only");
const port = parentPort;

// What drawing throws is not caught: it ends the thread, and its "error" event carries it to the job that asked.
port.on("message", (content: LabelContent) => {
  const png = drawLabel(content);
  // Copied into a buffer of its own, which changes hands: what pngjs returns may share one with other data.
  const label = new Uint8Array(png);
  port.postMessage(label, [label.buffer]);
});
