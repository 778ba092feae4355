import { aborted } from "@plumbline/concurrency";
import {
  descriptorSet,
  FulfilmentService,
  GreeterService,
  Order,
  OrderStatus,
  OrdersService,
} from "@plumbline/contracts";
import { accessRulesOf } from "@plumbline/contracts/access";
import { ServiceError } from "@plumbline/errors";
import { type Call, type RpcServer, type ServeOptions, serve, service } from "@plumbline/rpc";
import { noTelemetry, type Telemetry } from "@plumbline/telemetry";

/** The behaviour that a test gives to the services. */
export interface Behaviour {
  readonly getOrder?: (orderId: string, call: Call) => Promise<Order>;
  readonly watchOrder?: (orderId: string, afterVersion: bigint, call: Call) => AsyncIterable<Order>;
  readonly placeOrder?: (order: Order, call: Call) => Promise<Order>;
  readonly tls?: ServeOptions["tls"];
  readonly principalPeers?: ServeOptions["principalPeers"];
  readonly transport?: ServeOptions["transport"];
  readonly maxConcurrentStreams?: ServeOptions["maxConcurrentStreams"];
}

export const orderOf = (parts: Partial<Order>): Order =>
  Order.fromPartial({ status: OrderStatus.ORDER_STATUS_PENDING, version: 1n, ...parts });

/** Yields one version, then nothing until it is aborted. */
async function* forever(id: string, _afterVersion: bigint, { signal }: Call): AsyncIterable<Order> {
  yield orderOf({ id });
  await aborted(signal);
}

/** Serves all services on one free port. */
export async function serveServices(
  behaviour: Behaviour = {},
  telemetry: Telemetry = noTelemetry,
  port = 0,
): Promise<RpcServer> {
  const unwanted = async (): Promise<never> => {
    throw new ServiceError("unimplemented", "not in this test");
  };
  const orders = service(OrdersService, {
    placeOrder: (request, call) =>
      (behaviour.placeOrder ?? (async (order) => order))(
        orderOf({ id: "new", customerId: request.customerId, items: request.items }),
        call,
      ),
    getOrder: (request, call) => (behaviour.getOrder ?? (async (id) => orderOf({ id })))(request.orderId, call),
    listOrders: unwanted,
    cancelOrder: unwanted,
    watchOrder: ({ orderId, afterVersion }, call) => (behaviour.watchOrder ?? forever)(orderId, afterVersion, call),
  });
  const greeter = service(GreeterService, { sayHello: async ({ name }) => ({ message: `Hello ${name}` }) });
  const fulfilment = service(FulfilmentService, {
    getLabel: async () => ({ contentType: "image/png", data: Buffer.from([0x89, 0x50]), extensions: [] }),
  });
  return serve(
    {
      services: [orders, greeter, fulfilment],
      telemetry,
      descriptors: descriptorSet,
      access: () => accessRulesOf(descriptorSet),
    },
    {
      host: "127.0.0.1",
      port,
      tls: behaviour.tls,
      principalPeers: behaviour.principalPeers,
      transport: behaviour.transport,
      maxConcurrentStreams: behaviour.maxConcurrentStreams,
      graceMs: 1000,
    },
  );
}
