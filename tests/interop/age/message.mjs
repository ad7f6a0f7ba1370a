// As much of protobuf as it takes to read who wrote a record and to whom.

/** [number, value] of each field at the top: varints as BigInt, the rest as bytes. */
export function fields(bytes) {
  const found = [];
  let at = 0;
  const varint = () => {
    let value = 0n, shift = 0n, byte;
    do {
      if (at >= bytes.length || shift > 63n) throw new Error("a varint that does not end");
      byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
    } while (byte & 0x80);
    return value;
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key & 7n;
    if (kind === 0n) {
      found.push([Number(key >> 3n), varint()]);
    } else if (kind === 2n) {
      const length = Number(varint());
      if (length > bytes.length - at) throw new Error("a field that is cut short");
      found.push([Number(key >> 3n), bytes.subarray(at, at + length)]);
      at += length;
    } else {
      throw new Error(`wire type ${kind}`);
    }
  }
  return found;
}

/** The values of one field, as text (bytes that are no text come as hexadecimal). */
export function text(message, number) {
  return message.filter(([n]) => n === number).map(([, value]) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(value);
    } catch {
      return Buffer.from(value).toString("hex");
    }
  });
}
