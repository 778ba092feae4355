import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RequestHandler } from "express";

/** Requests of one connection that are answered at once. */
const maxRunning = 4;

/** Requests of one connection that wait. A connection with more is closed. */
const maxWaiting = 4096;

interface Connection {
  readonly running: Set<ServerResponse>;
  readonly waiting: (() => void)[];
}

const connections = new WeakMap<Socket, Connection>();

/**
 * Lets at most 4 requests of a connection run. A client may send more without waiting for answers:
 * they wait, and nothing more is read from the connection until they run. Every response that began
 * gets its event "close", also if the connection ends before its turn.
 */
export function boundPipeline(): RequestHandler {
  return (request, response, next) => {
    const { socket } = request;
    const connection = connections.get(socket) ?? open(socket);
    const run = (): void => {
      connection.running.add(response);
      response.once("close", () => {
        if (!connection.running.delete(response) || socket.destroyed) return;
        const following = connection.waiting.shift();
        if (following !== undefined) following();
        else if (socket.isPaused()) socket.resume();
      });
      next();
    };
    if (connection.running.size < maxRunning && connection.waiting.length === 0) return run();
    connection.waiting.push(run);
    socket.pause();
    if (connection.waiting.length > maxWaiting) socket.destroy();
  };
}

function open(socket: Socket): Connection {
  const connection: Connection = { running: new Set(), waiting: [] };
  connections.set(socket, connection);
  socket.once("close", () => {
    connection.waiting.length = 0;
    // Node closes only the response whose turn it is.
    setImmediate(() => {
      for (const response of connection.running) response.emit("close");
    });
  });
  return connection;
}
