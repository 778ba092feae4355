/**
 * The address of each package in development, written by `npm run services`. Any other package has
 * no default: its address must be set.
 */
export const knownTargets: Readonly<Record<string, string>> = {
  greeter: "dns:///127.0.0.1:50051",
  orders: "dns:///127.0.0.1:50052",
  fulfilment: "dns:///127.0.0.1:50053",
};
