// The frame around a sealed message, from docs/protocol.md, "Bodies: sealing, padding, salt".

const FLOOR = 1024;

/** Padmé: rounds up so that the size tells little more than its order of magnitude. */
export function padme(length) {
  if (length < 2) return length;
  const e = Math.floor(Math.log2(length));
  const s = Math.floor(Math.log2(e)) + 1;
  const step = 2 ** Math.max(e - s, 0);
  return Math.ceil(length / step) * step;
}

export function frame(message) {
  const bytes = new Uint8Array(Math.max(FLOOR, padme(4 + message.length)));
  new DataView(bytes.buffer).setUint32(0, message.length);
  bytes.set(message, 4);
  return bytes;
}

/** The message, or an error where the frame is not the one that `frame` would have made. */
export function unframe(bytes) {
  if (bytes.length < 4) throw new Error(`a frame of ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const size = Math.max(FLOOR, padme(4 + length));
  if (bytes.length !== size) {
    throw new Error(`a message of ${length} bytes in a frame of ${bytes.length}, not ${size}`);
  }
  if (bytes.subarray(4 + length).some((byte) => byte !== 0)) {
    throw new Error("the padding is not all zeros");
  }
  return bytes.subarray(4, 4 + length);
}
