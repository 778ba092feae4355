import { steadyNow } from "@plumbline/concurrency";

/** Returns a deadline by the system's clock, which grpc-js reads at once for its timer. */
export function toGrpcDeadline(deadline: number): number {
  return deadline - steadyNow() + Date.now();
}

/** Returns a deadline that grpc-js made just now by the system's clock. */
export function fromGrpcDeadline(deadline: number): number {
  return deadline - Date.now() + steadyNow();
}
