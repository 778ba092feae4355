/** The contracts of all services: messages, events, service definitions and the descriptor set. */

export { eventToJson } from "./event-json.ts";
export {
  type EventType,
  fulfilmentEvents,
  orderCancelled,
  orderFulfilled,
  orderPlaced,
  orderRejected,
  ordersEvents,
} from "./events.ts";
export { descriptorSet } from "./gen/descriptors.ts";
export { OrderFulfilled, OrderRejected } from "./gen/fulfilment/v1/events.ts";
export { FulfilmentServiceDefinition as FulfilmentService, GetLabelRequest } from "./gen/fulfilment/v1/fulfilment.ts";
export { HttpBody } from "./gen/google/api/httpbody.ts";
export { GreeterDefinition as GreeterService, HelloReply, HelloRequest } from "./gen/greeter/v1/greeter.ts";
export { OrderCancelled, OrderPlaced } from "./gen/orders/v1/events.ts";
export {
  CancelOrderRequest,
  GetOrderRequest,
  ListOrdersRequest,
  ListOrdersResponse,
  Money,
  Order,
  OrderItem,
  OrderStatus,
  OrdersServiceDefinition as OrdersService,
  PlaceOrderRequest,
  WatchOrderRequest,
} from "./gen/orders/v1/orders.ts";
