import { create, fromBinary, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";

/** A message as plain fields. */
type Plain<T> = Omit<T, keyof Message>;

interface Shape<RequestStream extends boolean, ResponseStream extends boolean> {
  readonly requestStream: RequestStream;
  readonly responseStream: ResponseStream;
}

/** A method in the shape of ts-proto's definitions, with codecs from descriptors. */
export function methodOf<Req extends Message, Res extends Message, A extends boolean, B extends boolean>(
  path: string,
  request: GenMessage<Req>,
  response: GenMessage<Res>,
  shape: Shape<A, B>,
): Shape<A, B> & {
  readonly path: string;
  readonly requestSerialize: (value: Plain<Req>) => Uint8Array;
  readonly requestDeserialize: (bytes: Uint8Array) => Plain<Req>;
  readonly responseSerialize: (value: Plain<Res>) => Uint8Array;
  readonly responseDeserialize: (bytes: Uint8Array) => Plain<Res>;
} {
  return {
    ...shape,
    path,
    requestSerialize: (value) => toBinary(request, create(request, value as MessageInitShape<GenMessage<Req>>)),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (value) => toBinary(response, create(response, value as MessageInitShape<GenMessage<Res>>)),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  };
}
