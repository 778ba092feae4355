import { IncomingMessage, type ServerOptions, ServerResponse } from "node:http";
import type { Express } from "express";

/**
 * The classes of an application's requests and answers, for its server. Express gives each one a prototype of its own when
 * it comes, after which the engine knows nothing more of the object's shape; these have it from birth.
 */
export function expressMessages(app: Express): Pick<ServerOptions, "IncomingMessage" | "ServerResponse"> {
  class Request extends IncomingMessage {}
  class Response<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  app.request = Object.setPrototypeOf(Request.prototype, app.request) as typeof app.request;
  app.response = Object.setPrototypeOf(Response.prototype, app.response) as typeof app.response;
  return { IncomingMessage: Request, ServerResponse: Response };
}
