// A service under `run`: opens two resources, waits for the signal, closes in reverse. MODE selects
// what fails.
import { aborted, sleep } from "@plumbline/concurrency";
import { run } from "../../src/index.ts";

const mode = process.env["MODE"] ?? "";
const say = (line: string): void => console.log(line);
const open = (name: string): AsyncDisposable => {
  say(`open ${name}`);
  return { [Symbol.asyncDispose]: async () => say(`close ${name}`) };
};
const never = new Promise<void>(() => {});

async function main(signal: AbortSignal): Promise<void> {
  await using _database = open("database");
  if (mode === "fails to open") throw new Error("the broker cannot be reached", { cause: new Error("ECONNREFUSED") });
  await using _server = open("server");
  if (mode === "returns") return;
  if (mode === "rejects unhandled") void Promise.reject(new Error("not caught"));
  if (mode === "throws uncaught")
    setTimeout(() => {
      throw new Error("not caught");
    });
  if (mode === "leaks a timer") setInterval(() => {}, 1_000);
  say("ready");
  if (mode === "is cancelled while opening") {
    await new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("could not connect", { cause: signal.reason }))),
    );
  }
  await aborted(signal);
  say("stopping");
  if (mode === "takes a moment to stop") await sleep(100);
  if (mode === "never ends") await never;
  if (mode === "fails to close") throw new Error("the server cannot be closed");
}

const reporters: Record<string, (error: unknown) => void> = {
  says: (error) => say(`reported: ${String(error)}`),
  fails: () => {
    throw new Error("the reporter broke");
  },
};
const onError = reporters[process.env["REPORTER"] ?? ""];
await run(main, { graceMs: Number(process.env["GRACE_MS"] ?? 10_000), onError });
say("over");
