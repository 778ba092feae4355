/**
 * A client of @grpc/grpc-js with its xDS plugin: dials `xds:///greeter`, calls until it is ended, and
 * prints each answer, or the error's code. The variable GRPC_XDS_BOOTSTRAP_CONFIG names the control
 * plane.
 */
import { setTimeout } from "node:timers/promises";
import { credentials, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import { GreeterService } from "@plumbline/contracts";

type SayHello = (
  request: { name: string },
  options: { deadline: Date },
  callback: (error: ServiceError | null, response?: { message: string }) => void,
) => void;

register();
const { sayHello } = GreeterService.methods;
const Greeter = makeGenericClientConstructor(
  {
    sayHello: {
      path: `/${GreeterService.fullName}/${sayHello.name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (request: { name: string }) => Buffer.from(sayHello.requestType.encode(request).finish()),
      requestDeserialize: (bytes: Buffer) => sayHello.requestType.decode(bytes),
      responseSerialize: (response: { message: string }) =>
        Buffer.from(sayHello.responseType.encode(response).finish()),
      responseDeserialize: (bytes: Buffer) => sayHello.responseType.decode(bytes),
    },
  },
  "Greeter",
);
const client = new Greeter("xds:///greeter", credentials.createInsecure()) as unknown as { sayHello: SayHello };

for (;;) {
  const answer = await new Promise<string>((resolve) => {
    const options = { deadline: new Date(Date.now() + 10_000) };
    client.sayHello({ name: "Ada" }, options, (error, response) =>
      resolve(error === null ? String(response?.message) : `code ${error.code}: ${error.details}`),
    );
  });
  console.log(answer);
  await setTimeout(5);
}
