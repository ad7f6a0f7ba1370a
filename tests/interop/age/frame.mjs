// The frame around a sealed message, from docs/protocol.md, "Bodies: sealing, padding, salt".

const SIZES = [8192, 16384, 32768, 65536, 131072, 262144, 524288, 1015808];

/** In the smallest frame that holds it, or in a larger one, as the other body of its entry needs. */
export function frame(message, size = SIZES.find((size) => size >= 4 + message.length)) {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, message.length);
  bytes.set(message, 4);
  return bytes;
}

/** The message, or an error where the frame is none. */
export function unframe(bytes) {
  if (!SIZES.includes(bytes.length)) throw new Error(`a frame of ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length > bytes.length - 4) throw new Error(`a message of ${length} bytes in ${bytes.length}`);
  if (bytes.subarray(4 + length).some((byte) => byte !== 0)) {
    throw new Error("the padding is not all zeros");
  }
  return bytes.subarray(4, 4 + length);
}
