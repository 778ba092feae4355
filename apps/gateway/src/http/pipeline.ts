import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RequestHandler } from "express";

/** Requests of one connection that are answered at once. */
const maxRunning = 4;

/** Requests of one connection that wait. A connection with more is closed. */
const maxWaiting = 4096;

interface Connection {
  running: number;
  readonly waiting: (() => void)[];
}

const connections = new WeakMap<Socket, Connection>();

/**
 * Lets at most 4 requests of a connection run. A client may send more without waiting for answers:
 * they wait, and nothing more is read from the connection until they run.
 */
export function boundPipeline(): RequestHandler {
  return (request, response, next) => {
    const { socket } = request;
    const connection = connections.get(socket) ?? open(socket);
    if (connection.running < maxRunning && connection.waiting.length === 0) {
      connection.running += 1;
      response.on("close", closed);
      return next();
    }
    connection.waiting.push(() => {
      connection.running += 1;
      response.on("close", closed);
      next();
    });
    socket.pause();
    if (connection.waiting.length > maxWaiting) socket.destroy();
  };
}

/** Returns true while no request of a connection runs or waits. */
export function isIdle(socket: Socket): boolean {
  const connection = connections.get(socket);
  return connection === undefined || (connection.running === 0 && connection.waiting.length === 0);
}

/** Runs the next request of a response's connection. One function for all: a closure costs more. */
function closed(this: ServerResponse): void {
  const { socket } = this.req;
  const connection = connections.get(socket);
  if (connection === undefined) return;
  connection.running -= 1;
  if (socket.destroyed) return;
  const following = connection.waiting.shift();
  if (following !== undefined) following();
  else if (socket.isPaused()) socket.resume();
}

function open(socket: Socket): Connection {
  const connection: Connection = { running: 0, waiting: [] };
  connections.set(socket, connection);
  // The connection has ended: none of the requests that wait needs to run.
  socket.once("close", () => void (connection.waiting.length = 0));
  return connection;
}
