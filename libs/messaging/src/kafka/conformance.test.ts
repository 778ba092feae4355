import { subscribe } from "node:diagnostics_channel";
import type net from "node:net";
import test from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { testKafka, whyNoKafka } from "@plumbline/tools-engines";
import { conformance } from "../conformance.ts";
import { openKafkaBroker } from "./broker.ts";
import { kafkaClients } from "./options.ts";

const why = whyNoKafka();
const sockets = new Set<net.Socket>();
subscribe("net.client.socket", (event) => {
  const { socket } = event as { socket: net.Socket };
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
});

for (const client of kafkaClients) {
  if (why !== undefined) {
    test(`kafka through ${client} keeps the promises of the messaging port`, { skip: why }, () => undefined);
    continue;
  }
  conformance(
    `kafka through ${client}`,
    {
      ordered: true,
      persistent: true,
      maxMessageBytes: 100_000,
      breakConnections: async () => {
        // Like a reset by the peer. kafkajs ignores a close without an error.
        for (const socket of sockets)
          socket.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
      },
    },
    async () =>
      await openKafkaBroker(
        {
          client,
          brokers: (await testKafka()).split(","),
          clientId: "conformance",
          sessionMs: 6_000,
          maxMessageBytes: 100_000,
        },
        noTelemetry,
      ),
  );
}
