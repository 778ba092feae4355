import { Writable } from "node:stream";
import { startTelemetry } from "@plumbline/telemetry";
import type { Contest } from "./contest.ts";
import { fromCompetitors } from "./from-competitors.ts";

interface Bare {
  info(fields: object, message: string): void;
}
interface Winston {
  createLogger(options: object): { info(message: string, fields: object): void };
  readonly format: { combine(...formats: unknown[]): unknown; timestamp(): unknown; json(): unknown };
  readonly transports: { readonly Stream: new (options: object) => unknown };
}

const fields = {
  method: "GET",
  route: "/v1/orders/{id}",
  status: 200,
  durationMs: 1.234,
  requestId: "01a212eb-18d9-76fc",
  client: "127.0.0.1",
};

/**
 * Writes one line of an access log to a sink. Ours bounds every value and adds the ids of the
 * active span; the others do not.
 */
export function loggerContest(competitors: string): Contest {
  const pino = fromCompetitors(competitors, "pino") as (options: object, stream: object) => Bare;
  const winston = fromCompetitors(competitors, "winston") as Winston;
  const nowhere = () => new Writable({ decodeStrings: false, write: (_chunk, _encoding, done) => done() });

  const { logger: ours } = startTelemetry({ service: "bench", destination: nowhere() });
  const bare = pino({ base: { service: "bench" } }, { write: () => {} });
  const plain = winston.createLogger({
    defaultMeta: { service: "bench" },
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Stream({ stream: nowhere() })],
  });
  const lines = (write: () => void) => async (times: number) => {
    for (let line = 1; line <= times; line++) {
      write();
      // Streams write the lines of one tick in later ticks.
      if (line % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    name: "log: a line of eight fields",
    contenders: [
      { name: "Logger", run: lines(() => ours.info("request", fields)) },
      { name: "winston", run: lines(() => plain.info("request", fields)) },
      { name: "pino", run: lines(() => bare.info(fields, "request")) },
    ],
  };
}
