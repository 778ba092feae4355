/** The points at which a service is killed: an event could be lost or doubled there. */
export interface Point {
  readonly name: string;
  readonly service: "orders" | "worker";
  /** The number of times that a round's orders pass the point; a kill chooses one. */
  readonly most: number;
}

export const ordersPerRound = 8;

export const points = [
  { name: "before the order commits", service: "orders", most: ordersPerRound },
  { name: "after the order commits", service: "orders", most: ordersPerRound },
  // The relay sends waiting messages as one batch, so only its first send of a round is certain.
  { name: "before the relay sends", service: "orders", most: 1 },
  { name: "after the send, before the mark", service: "orders", most: 1 },
  { name: "while suppliers are asked", service: "worker", most: ordersPerRound },
  // Orders that come together share a commit, so only the first of a round is certain.
  { name: "before the effect commits", service: "worker", most: 1 },
  { name: "after the effect commits, before the offset", service: "worker", most: 1 },
  { name: "before the answer commits", service: "orders", most: 1 },
] as const satisfies readonly Point[];

export type PointName = (typeof points)[number]["name"];
