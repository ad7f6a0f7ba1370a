// Makes tests/conformance/sealed-by-typage.json anew: bodies that age-encryption (typage) sealed,
// which tutti-core must open, or refuse. The file is frozen; this is how it came to be.

import { Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import { frame } from "./frame.mjs";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

async function seal(plaintext, recipients) {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return base64(await encrypter.encrypt(plaintext));
}

const identities = [];
for (let count = 0; count < 3; count++) identities.push(await generateHybridIdentity());
const recipients = await Promise.all(identities.map(identityToRecipient));
const [one, other] = recipients;

const short = new TextEncoder().encode("Sono tutti fratelli.");
const long = new Uint8Array(9000).map((_, place) => place % 251);
const stained = frame(short);
stained[stained.length - 1] = 1;
const odd = new Uint8Array(8192 + 64);
odd.set(frame(short));

const vector = {
  made_by: "npm age-encryption 0.3.1",
  identities: identities.map((secret, at) => ({ secret, recipient: recipients[at] })),
  opens: [
    { what: "one recipient", for: [0], message: base64(short), sealed: await seal(frame(short), [one]) },
    { what: "two recipients, and a message that takes the second size of frames", for: [0, 1], message: base64(long),
      sealed: await seal(frame(long), [one, other]) },
    { what: "a short message in a larger frame", for: [0], message: base64(short),
      sealed: await seal(frame(short, 65536), [one]) },
    { what: "an empty message", for: [1], message: "", sealed: await seal(frame(new Uint8Array()), [other]) },
  ],
  refused: [
    { what: "padding that is not zero", for: [0], sealed: await seal(stained, [one]) },
    { what: "a frame of none of the sizes", for: [0], sealed: await seal(odd, [one]) },
    { what: "no frame", for: [0], sealed: await seal(short, [one]) },
  ],
};
console.log(JSON.stringify(vector, null, 2));
