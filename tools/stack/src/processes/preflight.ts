import { createServer } from "node:net";
import type { PortName, Ports } from "../ports.ts";

/**
 * Rejects before anything has started, with a line for each port that something else listens on.
 */
export async function checkPorts(ports: Partial<Ports>): Promise<void> {
  const entries = Object.entries(ports) as [PortName, number][];
  const states = await Promise.all(entries.map(async ([name, port]) => ({ name, port, problem: await tryPort(port) })));
  const problems = states.filter((state) => state.problem !== undefined);
  if (problems.length === 0) return;
  const lines = problems.map(({ name, port, problem }) => `  ${port} for ${name}: ${problem}`);
  throw new Error(
    `${lines.length === 1 ? "A port is" : "Ports are"} not free:\n${lines.join("\n")}\nIs the stack running already? ` +
      `Stop what listens there (to find it: lsof -i :${problems[0]?.port}), or move the stack: npm start -- --ports-from 20000`,
  );
}

function tryPort(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EADDRINUSE" ? "something else listens there" : error.message);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}
