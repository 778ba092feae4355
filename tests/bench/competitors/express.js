/** Express in front of greeter through grpc-js. */
import express from "express";
import { begin, isFull } from "./around.js";
import { connect } from "./client.js";

const sayHello = connect();
const app = express();

if (isFull) {
  app.use((request, response, next) => {
    const exchange = begin(request.method, request.path, request.headers, request.ip);
    response.locals.exchange = exchange;
    response.set("x-request-id", exchange.requestId);
    response.once("close", () => exchange.end(response.statusCode));
    if (exchange.refused === undefined) next();
    else response.sendStatus(exchange.refused);
  });
}
app.get("/v1/greetings/:name", async (request, response) => {
  const { name } = request.params;
  response.json(
    isFull ? await response.locals.exchange.call((...options) => sayHello(name, ...options)) : await sayHello(name),
  );
});
app.listen(Number(process.env["PORT"]), "127.0.0.1");
