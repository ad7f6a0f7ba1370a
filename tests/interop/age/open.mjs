// Opens the sealed bodies of an export with age-encryption (typage), which is not ours: each opens
// for exactly those whom docs/protocol.md names, and for nobody else.
//
//   node open.mjs EXPORT BODIES.json RECORDS.json SOCIETY=KEYS ...
//
// BODIES.json is what `audit.py --bodies` wrote; KEYS is a society's folder of key files. Writes the
// records, which hold no personal data, into RECORDS.json for others to check.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, identityToRecipient } from "age-encryption";
import { unframe } from "./frame.mjs";
import { fields, text } from "./message.mjs";

const BODIES_MAX = 40; // of each kind; opening one takes some milliseconds a key

class Wrong extends Error {}

function require(holds, problem) {
  if (!holds) throw new Wrong(problem);
}

/** The secret in a key file: the one line that is no explanation. */
async function readKey(file) {
  const lines = (await readFile(file, "utf8")).split("\n").map((line) => line.trim());
  const secrets = lines.filter((line) => line && !line.startsWith("#"));
  require(secrets.length === 1, `${file} has ${secrets.length} secrets`);
  return secrets[0];
}

/** The message inside, or null where the key is not for it. Anything else is an error. */
async function open(sealed, secret) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(secret);
  let plaintext;
  try {
    plaintext = await decrypter.decrypt(sealed);
  } catch (error) {
    if (/no identity matched/.test(error.message)) return null;
    throw error;
  }
  return unframe(plaintext);
}

async function opensOrFails(sealed, secret) {
  try {
    return (await open(sealed, secret)) !== null;
  } catch {
    return false;
  }
}

const [folder, list, out, ...given] = process.argv.slice(2);
const keys = new Map();
for (const pair of given) {
  const [society, dir] = pair.split("=");
  keys.set(society, { case: await readKey(join(dir, "case.key")), audit: await readKey(join(dir, "audit.key")) });
}

async function check() {
  const { origin, entries } = JSON.parse(await readFile(list, "utf8"));
  const author = origin.split("/")[1];
  let opened = 0, kept = 0, altered = 0;
  const counts = { record: 0, content: 0 }, records = {};
  for (const { index, record, content } of entries) {
    if (counts.record >= BODIES_MAX) break;
    const place = `entry ${index}`;
    const sealed = await readFile(join(folder, "bodies", record));
    const message = await open(sealed, keys.get(author).audit);
    require(message, `${place}: the author's audit key does not open the record`);
    const event = fields(message);
    const parties = new Set([author, ...text(event, 4)]);
    require(text(event, 1)[0] === origin, `${place}: a record of ${text(event, 1)[0]}`);
    require(parties.size > 1, `${place}: sealed, and addressed to nobody`);
    records[index] = Buffer.from(message).toString("base64");
    for (const [part, digest] of [["record", record], ["content", content]]) {
      if (!digest) continue;
      counts[part]++;
      const body = await readFile(join(folder, "bodies", digest));
      for (const [society, secrets] of keys) {
        for (const use of ["case", "audit"]) {
          const may = parties.has(society) && (part === "record" || use === "case");
          const inside = await open(body, secrets[use]);
          require(!!inside === may, `${place}: the ${part} ${inside ? "opens" : "does not open"}`
            + ` with the ${use} key of ${society}`);
          may ? opened++ : kept++;
          if (!inside) continue;
          const twin = fields(inside);
          require(text(twin, 1)[0] === origin, `${place}: the ${part} is of ${text(twin, 1)[0]}`);
          require(text(twin, 2)[0] === text(event, 2)[0], `${place}: record and content of two events`);
        }
      }
      // One bit of the header, of the payload's beginning and of its end: none may open.
      for (const at of [200, body.length - 500, body.length - 1]) {
        const stained = Uint8Array.from(body);
        stained[at] ^= 1;
        require(!(await opensOrFails(stained, keys.get(author).case)), `${place}: opens though altered`);
        altered++;
      }
    }
  }
  await writeFile(out, JSON.stringify(records));
  require(counts.record > 0 && counts.content > 0, "no sealed record or no sealed content to open");
  console.log(`records ${counts.record}; contents ${counts.content}; opened ${opened};`
    + ` refused to others ${kept}; altered and refused ${altered}`);
}

try {
  for (const { case: secret } of keys.values()) {
    require((await identityToRecipient(secret)).startsWith("age1pq1"), "a case key that is not hybrid");
  }
  await check();
} catch (error) {
  console.log(`WRONG  ${error.message}`);
  process.exitCode = 1;
}
