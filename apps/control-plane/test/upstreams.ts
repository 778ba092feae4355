import { deadlineOf, steadyNow } from "@plumbline/concurrency";
import { GreeterService } from "@plumbline/contracts";
import { ServiceError } from "@plumbline/errors";
import { type RpcServer, serve, service } from "@plumbline/rpc";
import { noTelemetry } from "@plumbline/telemetry";

/** A gRPC server that answers with its name, and whose health and failures a test chooses. */
export class Greeter implements AsyncDisposable {
  calls = 0;
  /** The time in ms that the last call had left, or undefined if it had no deadline. */
  lastTimeoutMs: number | undefined;
  isServing = true;
  isFailing = false;
  readonly #server: RpcServer;

  constructor(server: RpcServer) {
    this.#server = server;
  }

  static async start(name: string): Promise<Greeter> {
    let self: Greeter | undefined;
    const greeter = service(GreeterService, {
      async sayHello(_request, { signal }) {
        if (self === undefined) throw new ServiceError("unavailable", "not started yet");
        self.calls += 1;
        const deadline = deadlineOf(signal);
        self.lastTimeoutMs = deadline === undefined ? undefined : deadline - steadyNow();
        if (self.isFailing) throw new ServiceError("unavailable", "the test says so");
        return { message: name };
      },
    });
    const health = {
      status: async () => (self?.isServing === true ? ("SERVING" as const) : ("NOT_SERVING" as const)),
      async *watch() {},
    };
    const parts = { services: [greeter], health, telemetry: noTelemetry };
    self = new Greeter(await serve(parts, { host: "127.0.0.1", port: 0, graceMs: 500 }));
    return self;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
