import { GreeterService } from "@plumbline/contracts";
import { type ServiceImplementation, service } from "@plumbline/rpc";
import { greet } from "./greet.ts";

/** Greeter over RPC. */
export const greeterService: ServiceImplementation = service(GreeterService, {
  sayHello: async ({ name }) => ({ message: greet(name) }),
});
