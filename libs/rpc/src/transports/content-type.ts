/**
 * Returns true for "application/grpc" and "application/grpc+proto", with or without parameters:
 * messages in another encoding, or of gRPC-Web, cannot be read.
 */
export function isGrpc(type: string): boolean {
  return /^application\/grpc(?:\+proto)?(?:$|[; ])/.test(type);
}
