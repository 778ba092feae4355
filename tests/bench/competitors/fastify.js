/**
 * Fastify in front of greeter on grpc-js, with a response schema as Fastify's documentation
 * advises.
 */
import Fastify from "fastify";
import { begin, isFull } from "./around.js";
import { connect } from "./client.js";

const sayHello = connect();
const app = Fastify();
const schema = { response: { 200: { type: "object", properties: { message: { type: "string" } } } } };

if (isFull) {
  app.decorateRequest("exchange", null);
  app.addHook("onRequest", async (request, reply) => {
    request.exchange = begin(request.method, request.url, request.headers, request.ip);
    reply.header("x-request-id", request.exchange.requestId);
    if (request.exchange.refused !== undefined) await reply.code(request.exchange.refused).send();
  });
  app.addHook("onResponse", async (request, reply) => request.exchange.end(reply.statusCode));
}
app.get("/v1/greetings/:name", { schema }, async (request) =>
  isFull
    ? await request.exchange.call((...options) => sayHello(request.params.name, ...options))
    : await sayHello(request.params.name),
);
await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });
