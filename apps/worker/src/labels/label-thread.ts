/**
 * The entry of a worker thread: draws each label that it receives. LabelThreads starts and ends it.
 */
import { parentPort } from "node:worker_threads";
import { drawLabel, type LabelContent } from "./draw-label.ts";

if (parentPort === null) throw new Error("label-thread runs as a worker thread only");
const port = parentPort;

// An error of drawing is not caught: it ends the thread, and its "error" event rejects the job.
port.on("message", (content: LabelContent) => {
  const png = drawLabel(content);
  // Copied, because the buffer is transferred, and Node may share it with other data.
  const label = new Uint8Array(png);
  port.postMessage(label, [label.buffer]);
});
