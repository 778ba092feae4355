/**
 * A client of greeter as in grpc-js's documentation: proto-loader, one channel, promises around
 * callbacks.
 */
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export const root = new URL("../../../", import.meta.url).pathname;
export const protoPath = `${root}protos/greeter/v1/greeter.proto`;
export const loaderOptions = {
  includeDirs: [`${root}protos`, `${root}protos/third_party/protovalidate`, `${root}node_modules/google-proto-files`],
  defaults: true,
};

const { greeter } = loadPackageDefinition(loadSync(protoPath, loaderOptions));
export const Greeter = greeter.v1.Greeter;

export function connect() {
  const client = new Greeter(process.env["UPSTREAM"], credentials.createInsecure());
  return (name, ...options) =>
    new Promise((resolve, reject) => {
      client.sayHello({ name }, ...options, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
}
