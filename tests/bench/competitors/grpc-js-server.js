/** The least grpc-js server. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Greeter } from "./client.js";

const server = new Server();
server.addService(Greeter.service, {
  sayHello: (call, callback) => callback(null, { message: `Hello ${call.request.name}` }),
});
server.bindAsync(`127.0.0.1:${process.env["PORT"]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
