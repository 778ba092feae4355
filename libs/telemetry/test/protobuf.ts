/**
 * A message without schema: the values of each field number, numbers as bigint, others as bytes.
 */
export type Fields = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>;

/** Reads the part of protobuf's wire format that OTLP uses. */
export function decode(bytes: Uint8Array): Fields {
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    let value: bigint | Uint8Array;
    if ((tag & 7) === 0) value = varint();
    else if ((tag & 7) === 1) {
      value = view.getBigUint64(at, true);
      at += 8;
    } else if ((tag & 7) === 5) {
      value = BigInt(view.getUint32(at, true));
      at += 4;
    } else {
      const length = Number(varint());
      value = bytes.subarray(at, (at += length));
    }
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

export function messages(fields: Fields | undefined, number: number): Fields[] {
  return (fields?.get(number) ?? []).map((value) => decode(value as Uint8Array));
}

export function message(fields: Fields | undefined, number: number): Fields | undefined {
  return messages(fields, number)[0];
}

export function text(fields: Fields | undefined, number: number): string {
  return Buffer.from((fields?.get(number)?.[0] ?? new Uint8Array()) as Uint8Array).toString();
}

export function hex(fields: Fields, number: number): string {
  return Buffer.from((fields.get(number)?.[0] ?? new Uint8Array()) as Uint8Array).toString("hex");
}

export function integer(fields: Fields | undefined, number: number): number {
  return Number(fields?.get(number)?.[0] ?? 0n);
}
