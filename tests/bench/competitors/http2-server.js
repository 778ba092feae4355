/**
 * One unary method by hand on node:http2: the minimal cost of a gRPC server on Node's own HTTP/2.
 */
import { createServer } from "node:http2";

const headers = { ":status": 200, "content-type": "application/grpc+proto" };

const server = createServer();
server.on("stream", (stream) => {
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  stream.once("end", () => {
    const request = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    // A message of one string field below 128 bytes: tag, length, text.
    const message = `Hello ${request.toString("utf8", 7)}`;
    const answer = Buffer.allocUnsafe(7 + Buffer.byteLength(message));
    answer.writeUIntBE(0, 0, 1);
    answer.writeUInt32BE(answer.length - 5, 1);
    answer[5] = 0x0a;
    answer[6] = answer.length - 7;
    answer.write(message, 7);
    stream.respond(headers, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(answer);
  });
});
server.listen(Number(process.env["PORT"]), "127.0.0.1");
