/**
 * The journeys against a running system, and the matrix of its RPCs and the states of a token:
 * `E2E_URL=http://localhost:8080 npx nx journeys @plumbline/e2e`. The gateway names its issuer, which
 * must be one for development.
 */
import { authorizationFor } from "@plumbline/tools-stack";
import { accessMatrix } from "./access-matrix.ts";
import { httpJourneys } from "./journeys.ts";

const url = process.env["E2E_URL"];
if (url === undefined) throw new Error("E2E_URL must say where the gateway is: http://localhost:8080");
const base = url.replace(/\/$/, "");

const asksForTokens = Object.keys(await authorizationFor(base)).length > 0;
httpJourneys(() => base);
if (asksForTokens) accessMatrix(() => base);
