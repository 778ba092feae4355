import net from "node:net";
import test from "node:test";
import { noTelemetry } from "@plumbline/telemetry";
import { testKafka, whyNoKafka } from "@plumbline/tools-engines";
import type { ISocketFactory } from "kafkajs";
import { conformance } from "../conformance.ts";
import { openKafkaBroker } from "./broker.ts";

const why = whyNoKafka();
const sockets = new Set<net.Socket>();
const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
  const socket = net.connect({ host, port }, onConnect);
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  return socket;
};

if (why === undefined) {
  conformance(
    "kafka",
    {
      ordered: true,
      persistent: true,
      maxMessageBytes: 100_000,
      breakConnections: async () => {
        // As the peer's reset arrives; kafkajs does not listen for a close without an error.
        for (const socket of sockets)
          socket.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
      },
    },
    async () =>
      await openKafkaBroker(
        {
          brokers: (await testKafka()).split(","),
          clientId: "conformance",
          sessionMs: 6_000,
          maxMessageBytes: 100_000,
          socketFactory,
        },
        noTelemetry,
      ),
  );
} else {
  test("kafka keeps the promises of the messaging port", { skip: why }, () => undefined);
}
