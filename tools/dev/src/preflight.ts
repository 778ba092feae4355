import { createServer } from "node:net";
import { defaultPorts, type Ports } from "./stack.ts";

/** Rejects, naming every port that something else listens on, before anything has started. */
export async function checkPorts(ports: Partial<Ports>): Promise<void> {
  const entries = Object.entries(ports) as [keyof Ports, number][];
  const states = await Promise.all(entries.map(async ([name, port]) => ({ name, port, problem: await tryPort(port) })));
  const problems = states.filter((state) => state.problem !== undefined);
  if (problems.length === 0) return;
  const lines = problems.map(({ name, port, problem }) => `  ${port} for ${name}: ${problem}`);
  throw new Error(
    `${lines.length === 1 ? "A port is" : "Ports are"} not free:\n${lines.join("\n")}\nIs the stack running already? ` +
      `Stop what listens there (to find it: lsof -i :${problems[0]?.port}), or move the stack: npm start -- --port-offset 1000`,
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

/** A free port for each part of the stack. */
export async function freeStackPorts(): Promise<Ports> {
  const names = Object.keys(defaultPorts);
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as unknown as Ports;
}

/** As many free ports as asked for. Another program may take one before it is used: the caller sees that as a taken port. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
