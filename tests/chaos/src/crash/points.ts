/** Where a service is killed: the moments at which an event could be lost or doubled. */
export interface Point {
  readonly name: string;
  readonly service: "orders" | "worker";
  /** How often the moment comes while a round's orders go through: a kill picks one of them. */
  readonly most: number;
}

export const ordersPerRound = 8;

export const points = [
  { name: "before the order commits", service: "orders", most: ordersPerRound },
  { name: "after the order commits", service: "orders", most: ordersPerRound },
  // The relay sends what waits as one batch: only its first send of a round is certain.
  { name: "before the relay sends", service: "orders", most: 1 },
  { name: "after the send, before the mark", service: "orders", most: 1 },
  { name: "while suppliers are asked", service: "worker", most: ordersPerRound },
  { name: "before the effect commits", service: "worker", most: ordersPerRound },
  { name: "after the effect commits, before the offset", service: "worker", most: ordersPerRound },
  { name: "before the answer commits", service: "orders", most: ordersPerRound },
] as const satisfies readonly Point[];

export type PointName = (typeof points)[number]["name"];
