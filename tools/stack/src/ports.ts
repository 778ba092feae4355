/** The ports of this machine that the embedded stack takes. */
import { freePorts } from "@plumbline/tools-engines";
import { flagRows, rows, type ServiceName, type ServiceTable } from "./services.ts";

const enginePorts = { postgres: 54329, kafka: 19092, etcd: 2379 } as const;

type OpsName<Row> = Row extends { readonly name: infer Name extends string; readonly opsPort: number }
  ? `${Name}Ops`
  : never;

/** "orders" for its clients, "ordersOps" for metrics and health; "postgres", "kafka" and "etcd". */
export type PortName = ServiceName | OpsName<ServiceTable[number]> | keyof typeof enginePorts;
export type Ports = Readonly<Record<PortName, number>>;

export const defaultPorts = Object.fromEntries([
  ...rows.map(({ name, port }) => [name, port] as const),
  ...rows.flatMap(({ name, opsPort }) => (opsPort === undefined ? [] : [[`${name}Ops`, opsPort] as const])),
  ...Object.entries(enginePorts),
  ...flagRows.map(({ name, port }) => [name, port] as const),
]) as unknown as Ports;

/** Returns all ports in a row from `first`, in the order of `defaultPorts`. */
export function portsFrom(first: number): Ports {
  return Object.fromEntries(Object.keys(defaultPorts).map((name, index) => [name, first + index])) as unknown as Ports;
}

/** Returns free ports for the stack, which no other test and no outgoing connection takes. */
export async function freeStackPorts(): Promise<Ports> {
  const [first] = await freePorts(Object.keys(defaultPorts).length);
  return portsFrom(first as number);
}
