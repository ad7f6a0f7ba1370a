// Opens the frozen vector with the implementation that made it, so that it cannot have drifted; and
// makes the frames of the other.
//
//   node vector.mjs tests/conformance/sealed-by-typage.json tests/conformance/padding.json

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Decrypter, identityToRecipient } from "age-encryption";
import { frame as framed, unframe } from "./frame.mjs";

const vector = JSON.parse(await readFile(process.argv[2], "utf8"));
let opened = 0, refused = 0;
for (const { secret, recipient } of vector.identities) {
  if ((await identityToRecipient(secret)) !== recipient) throw new Error("a key that is not its pair's");
}
for (const one of [...vector.opens, ...vector.refused]) {
  for (const at of one.for) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(vector.identities[at].secret);
    const frame = await decrypter.decrypt(Buffer.from(one.sealed, "base64"));
    let message = null;
    try {
      message = Buffer.from(unframe(frame)).toString("base64");
    } catch {
      refused++;
    }
    if (message !== (one.message ?? null)) throw new Error(`${one.what}: ${message}`);
    opened += message === null ? 0 : 1;
  }
}
let sizes = 0;
for (const one of JSON.parse(await readFile(process.argv[3], "utf8")).cases) {
  if (one.expect !== "valid") continue;
  const bytes = framed(new Uint8Array(one.message_bytes).fill(0xa5), one.frame_bytes);
  const hash = createHash("sha256").update(bytes).digest("hex");
  if (hash !== one.frame_sha256 || framed(new Uint8Array(one.message_bytes)).length > bytes.length) {
    throw new Error(`${one.name}: another frame`);
  }
  sizes++;
}
console.log(`opened ${opened}; frames refused ${refused}; frames alike ${sizes}`);
