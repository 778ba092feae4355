/** node:http alone in front of greeter through grpc-js: the least a gateway on grpc-js can cost. */
import { createServer } from "node:http";
import { begin, isFull } from "./around.js";
import { connect } from "./client.js";

const sayHello = connect();
const prefix = "/v1/greetings/";

async function answer(request, response) {
  if (request.method !== "GET" || !request.url.startsWith(prefix)) return void response.writeHead(404).end();
  const name = decodeURIComponent(request.url.slice(prefix.length));
  if (!isFull) return send(response, await sayHello(name));
  const exchange = begin(request.method, request.url, request.headers, request.socket.remoteAddress);
  response.setHeader("x-request-id", exchange.requestId);
  response.once("close", () => exchange.end(response.statusCode));
  if (exchange.refused !== undefined) return void response.writeHead(exchange.refused).end();
  send(response, await exchange.call((...options) => sayHello(name, ...options)));
}

createServer((request, response) => void answer(request, response)).listen(Number(process.env["PORT"]), "127.0.0.1");

function send(response, answer) {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
}
