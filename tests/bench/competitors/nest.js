/**
 * NestJS in front of greeter: a controller, and ClientsModule's gRPC client. Decorators are called
 * as functions, because nothing here is compiled.
 */
import "reflect-metadata";
import { Controller, Get, Inject, Module, Param, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientsModule, Transport } from "@nestjs/microservices";
import { firstValueFrom } from "rxjs";
import { begin, isFull } from "./around.js";
import { loaderOptions, protoPath } from "./client.js";

class GreetingsController {
  constructor(client) {
    this.greeter = client.getService("Greeter");
  }

  async sayHello(name, response) {
    return isFull
      ? await response.locals.exchange.call((...options) => firstValueFrom(this.greeter.sayHello({ name }, ...options)))
      : await firstValueFrom(this.greeter.sayHello({ name }));
  }
}
Inject("GREETER")(GreetingsController, undefined, 0);
Param("name")(GreetingsController.prototype, "sayHello", 0);
Res({ passthrough: true })(GreetingsController.prototype, "sayHello", 1);
Get(":name")(
  GreetingsController.prototype,
  "sayHello",
  Object.getOwnPropertyDescriptor(GreetingsController.prototype, "sayHello"),
);
Controller("v1/greetings")(GreetingsController);

class AppModule {}
Module({
  imports: [
    ClientsModule.register([
      {
        name: "GREETER",
        transport: Transport.GRPC,
        options: { url: process.env["UPSTREAM"], package: "greeter.v1", protoPath, loader: loaderOptions },
      },
    ]),
  ],
  controllers: [GreetingsController],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
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
await app.listen(Number(process.env["PORT"]), "127.0.0.1");
