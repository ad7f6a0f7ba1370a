#!/usr/bin/env python3
"""Runs the frozen conformance vectors through this auditor, which was written from the page alone:
where the two disagree, the page says too little or one of them is wrong.

    vectors.py tests/conformance
"""

import base64
import json
import re
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from heads import read_head
from bodies import digest_of
from log import read_entry
from proof import read_proof
from record import SENT, read_record, scope
from records import pair_key, receipt_of, tag_of, token_of
from roster import Roster, read_card, read_routing_key
from tree import leaf, root_from_inclusion
from wire import COSIGNATURE, ED25519, Bad, key_id, message, read_vkey, require, sha256

REFUSALS = (Bad, ValueError, KeyError, IndexError, TypeError, AttributeError)


class Keys:
    """What a roster knows, from a vector's keys."""

    def __init__(self, shared):
        self.logs = dict(read_vkey(key, ED25519) for key in shared["logs"])
        self.all = [(s, *read_vkey(key, COSIGNATURE)) for s, key in shared["witnesses"].items()]

    def log_key(self, origin):
        require(origin in self.logs, f"no roster has a log {origin}")
        return self.logs[origin]

    def witnesses(self):
        return self.all

    def society_of(self, origin):
        return origin.split("/")[1]


def entry(case, _shared):
    raw = bytes.fromhex(case["entry"])
    require(len(raw) <= 512, "too long")
    read_entry(raw, case["origin"], int(case["index"]))
    return {"leaf_hash": leaf(raw).hex()}


def body(case, _shared):
    raw = bytes.fromhex(case["body"])
    part = {1: "record", 2: "content"}[case["part"]]
    return {"digest": digest_of(case["origin"], int(case["index"]), part, raw).hex()}


PART = 990 * 1024
TYPES = ("application/pdf", "image/jpeg", "image/png", "image/webp", "image/heic", "text/plain")
HARMFUL = re.compile("[\\x00-\\x1f\\x7f-\\x9f/\\\\\\\\:\\u061c\\ufeff\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069]")


def varint(value):
    raw = b""
    while value > 127:
        raw += bytes([value & 127 | 128])
        value >>= 7
    return raw + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def attachment(case, _shared):
    name, size = case["file_name"], case["size"]
    require(1 <= len(name) <= 200 and name.strip() == name and name not in (".", ".."), "no name")
    require(not HARMFUL.search(name), "a name that does something")
    require(case["media_type"] in TYPES, "a type that may not go along")
    require(1 <= size <= 25 * 2**20, "too little or too much")
    number = case["parts_number"]
    require(-(-size // PART) == number, "another number of parts")
    digest = bytes.fromhex(case["sha256"])
    require(len(digest) == 32, "a digest that is none")
    fill = bytes.fromhex(case["fill"])
    data = (fill * (size // len(fill) + 1))[:size]
    require(sha256(data) == digest, "another file")
    entry = {"origin": case["origin"], "visibility": 3, "content": True, "tags": [b"", b""]}
    files = set()
    for index, part in enumerate(case["parts"]):
        record = read_record(bytes.fromhex(part["record"]), entry)
        attached = record["referral"]["attached"]
        files.add(attached["attachment_id"])
        require((attached["part"], attached["parts"]) == (index + 1, number), "another part")
        manifest = field(1, name.encode()) + field(2, case["media_type"].encode())
        manifest += field(3, size) + field(4, digest)
        held = field(1, manifest) if index == 0 else b""
        held += field(2, data[index * PART : (index + 1) * PART])
        content = field(1, record["origin"].encode()) + field(2, record["event_id"]) + field(11, held)
        require(len(content) == part["content_bytes"], "a content of another size")
        require(sha256(content).hex() == part["content_sha256"], "another content")
    back = read_record(bytes.fromhex(case["taken_back"]), entry)
    files.add(back["referral"]["entered_in_error"]["attachment"])
    require(len(files) == 1 and not back["has_content"], "parts of several files")
    return {}


def head(case, shared):
    keys = Keys(shared)
    found, note = read_head(case["note"].encode(), keys)
    says = {"origin": found.origin, "size": found.size, "root": found.root.hex()}
    says["cosigned"] = sorted([society, time] for society, time in found.witnesses.items())
    says["written"] = written(found, note, keys)
    return {"says": says}


def written(found, note, keys):
    """The note as it is written out: the log's signature, then cosignatures by society."""
    def line(name, algorithm, public, signature):
        raw = key_id(name, algorithm, public) + signature
        return f"— {name} {base64.b64encode(raw).decode()}\n"

    public = keys.log_key(found.origin)
    lines = [line(found.origin, ED25519, public, note.by(found.origin, ED25519, public)[0])]
    for society, name, public in sorted(keys.witnesses()):
        if society in found.witnesses:
            lines.append(line(name, COSIGNATURE, public, min(note.by(name, COSIGNATURE, public))))
    return note.text.decode() + "\n" + "".join(lines)


def proof(case, shared):
    raw, index, path, note = read_proof(case["proof"].encode())
    apart = bytes.fromhex(case["entry"]) if "entry" in case else raw
    require(raw in (None, apart), "two entries")
    raw = apart
    proven, _ = read_head(note, Keys(shared))
    read_entry(raw, proven.origin, index)
    require(root_from_inclusion(index, proven.size, leaf(raw), path) == proven.root, "not under the head")
    return {}


def roster(case, shared):
    text = shared[case["base"]]
    for old, new in case.get("replace", []):
        require(text.count(old) > 0, f"the vector replaces what is not there: {old!r}")
        text = text.replace(old, new, 1)
    raw = (text + "\n" + "".join(f"{line}\n" for line in case["signatures"])).encode()
    if case["base"] == "card":
        read_card(raw)
    elif case["base"] == "first":
        Roster(raw).check_first()
    else:
        Roster(raw).check_next(Roster(shared["first_note"].encode()))
    return {}


def routing(case, _shared):
    if case["kind"] == "key":
        read_routing_key(case["public"])
        return {}
    result = None
    for mine, other in (("author", "addressee"), ("addressee", "author")):
        secret = X25519PrivateKey.from_private_bytes(base64.b64decode(case[f"{mine}_secret"]))
        public = base64.b64decode(case[f"{other}_public"])
        pair = pair_key(secret, secret.public_key().public_bytes_raw(), public)
        arguments = pair, case["origin"], int(case["index"]), int(case["slot"])
        result = {"token": token_of(*arguments).hex(), "tag": tag_of(*arguments).hex()}
        result["receipt"] = receipt_of(*arguments).hex()
        require(all(case[name] == value for name, value in result.items()), "another token or tag")
    return result


def scoped(case, _shared):
    disclosed, beyond = scope(message(bytes.fromhex(case["sent"]), SENT))
    return {"disclosed": disclosed, "beyond": beyond}


def main():
    folder, tried, wrong = Path(sys.argv[1]), 0, []
    for run in (attachment, body, entry, head, proof, roster, routing, scoped):
        name = {"scoped": "scope"}.get(run.__name__, run.__name__)
        document = json.loads((folder / f"{name}.json").read_text())
        for case in document["cases"]:
            valid = case.get("expect", "valid") == "valid"
            try:
                said = run(case, document.get("shared"))
                said = "valid" if all(case[k] == v for k, v in said.items()) else "with other results"
            except REFUSALS as problem:
                said = f"refused: {type(problem).__name__}: {problem}"
            tried += 1
            if (said == "valid") != valid or said == "with other results":
                name = case.get("name", "")
                wrong.append(f"{run.__name__}: {name}: {said}; should be {case.get('expect')}"
                             f" ({case.get('reason', '')})")
    for problem in wrong:
        print(f"WRONG  {problem}")
    print(f"vectors {tried}; judged otherwise {len(wrong)}")
    return 1 if wrong or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
