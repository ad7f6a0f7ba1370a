#!/usr/bin/env python3
"""Evidence of one entry with what its record says, checked without any key but the one in it, and
without any implementation of age: docs/protocol.md, "Evidence with the record".

    opened.py EXPORT FILE

EXPORT gives the rosters alone. Then the file is altered in many places, and none may be believed.
"""

import hmac
import re
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bodies import SALT, check_sealed, digest_of
from heads import read_head
from log import ADDRESSED, read_entry
from proof import read_proof
from record import read_record
from roster import read_rosters
from tree import leaf, root_from_inclusion
from wire import Bad, from_base64, require

CHUNK = 64 * 1024


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt=salt, info=info).derive(key)


def open_age(body, file_key, tags):
    """The frame in the age file that is the record of an entry with so many tags, by its file key."""
    size = check_sealed(body, "record", tags)
    header = re.match(rb"(?s)(.*?\n---) ([A-Za-z0-9+/]{43})\n", body)
    mac = hmac.digest(hkdf(file_key, None, b"header"), header[1], "sha256")
    given = from_base64(header[2].decode() + "=", "the MAC")
    require(hmac.compare_digest(mac, given), "a key of another file")
    nonce, payload = body[header.end() :][:16], body[header.end() + 16 :]
    require(len(nonce) == 16 and payload, "a payload that is cut")
    cipher, plain = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload")), b""
    count = -(-len(payload) // (CHUNK + 16))
    for number in range(count):
        chunk = payload[number * (CHUNK + 16) :][: CHUNK + 16]
        last = bytes([number == count - 1])
        plain += cipher.decrypt(number.to_bytes(11, "big") + last, chunk, None)
    require(len(plain) == size, f"a frame of {len(plain)} bytes, not {size}")
    return plain


def unframe(frame):
    length = int.from_bytes(frame[:4], "big")
    require(4 + length <= len(frame), "a message that does not end in its frame")
    require(not any(frame[4 + length :]), "something behind the message")
    return frame[4 : 4 + length]


def check(raw, rosters):
    """The entry, and what its record says."""
    end = raw.find(b"\n\n")
    require(end >= 0, "no proof")
    lines = raw[:end].decode("ascii").split("\n")
    require(lines.pop(0) == "tutti-opened/v1", "not evidence with a record")
    key = None
    if lines[0].startswith("file-key "):
        key = from_base64(lines.pop(0)[9:], "the key")
        require(len(key) == 16, "a key that is not 16 bytes")
    require(len(lines) == 1 and lines[0].startswith("record "), "no record, or more than that")
    body = from_base64(lines[0][7:], "the record")
    raw_entry, index, path, note = read_proof(raw[end + 2 :])
    require(raw_entry is not None, "a proof without its entry")
    head, _ = read_head(note, rosters)
    entry = read_entry(raw_entry, head.origin, index)
    require(entry is not None, "an entry of another version")
    root = root_from_inclusion(index, head.size, leaf(raw_entry), path)
    require(root == head.root, "not under the proof's head")
    require(len(body) == entry["record"]["size"], "a record of another size")
    digest = digest_of(head.origin, index, "record", body)
    require(digest == entry["record"]["digest"], "not the record that the entry commits to")
    require((key is not None) == (entry["visibility"] == ADDRESSED), "a key where none is, or none")
    message = unframe(open_age(body, key, len(entry["tags"]))) if key else body[SALT:]
    return entry, read_record(message, entry)


def altered(raw, rosters, told):
    """How many alterations were tried; none may be believed, but for a witness that is lost."""
    end = raw.find(b"\n\n")
    places = {*range(0, 60), *range(60, end, max(1, end // 200)), *range(end, len(raw), 7)}
    for at in sorted(places):
        stained = bytearray(raw)
        stained[at] ^= 1
        try:
            again = check(bytes(stained), rosters)
        except (Bad, InvalidTag, ValueError, KeyError, IndexError, TypeError):
            continue
        require(again == told, f"byte {at} altered, and something else is believed")
    return len(places)


def main():
    export, file = map(Path, sys.argv[1:3])
    rosters = read_rosters(export, None, {})
    raw = file.read_bytes()
    told = check(raw, rosters)
    entry, record = told
    count = altered(raw, rosters, told)
    kind = "referral" if record["referral"] is not None else "information"
    print(f"entry {entry['index']} of {entry['origin']}: {kind}; altered and refused {count}")


if __name__ == "__main__":
    try:
        main()
    except (Bad, InvalidTag, ValueError, KeyError, OSError) as problem:
        print(f"WRONG  {type(problem).__name__}: {problem}")
        sys.exit(1)
