#!/usr/bin/env python3
"""Opened records against their entries, and the routing tags: each addressee recognises an entry as
addressed to it, and nobody else does.

    records.py EXPORT RECORDS.json SOCIETY=KEYS ...

RECORDS.json holds the sealed records, as age/open.mjs opened them, by their entries' indices; KEYS is
a society's folder of key files.
"""

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from heads import check_heads
from log import ADDRESSED, read_log
from record import read_record
from roster import read_rosters
from wire import Bad, require, sha256


def pair_key(secret, own, other):
    shared = secret.exchange(X25519PublicKey.from_public_bytes(other))
    low, high = sorted((own, other))
    info = b"tutti/v1/routing-pair\0" + low + high
    return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(shared)


def authenticated(info, pair, origin, index, slot):
    code = hmac.HMAC(pair, hashes.SHA256())
    code.update(info + b"\0" + origin.encode() + b"\0" + index.to_bytes(8, "big"))
    code.update(bytes([slot]))
    return code.finalize()


def token_of(pair, origin, index, slot):
    return authenticated(b"tutti/v1/routing-token", pair, origin, index, slot)


def receipt_of(pair, origin, index, slot):
    return authenticated(b"tutti/v1/routing-receipt", pair, origin, index, slot)


def tag_of(pair, origin, index, slot):
    return sha256(token_of(pair, origin, index, slot))[:16]


def read_secret(file):
    lines = [line.strip() for line in file.read_text().split("\n")]
    (line,) = [line for line in lines if line and not line.startswith("#")]
    return X25519PrivateKey.from_private_bytes(base64.b64decode(line, validate=True))


def check(export, opened, secrets):
    rosters = read_rosters(export, None, {})
    head = check_heads(export, rosters, {})
    entries = read_log(export, head, {})
    author = rosters.society_of(head.origin)
    recognised = 0
    for index, (_, entry) in enumerate(entries):
        if not entry or entry["visibility"] != ADDRESSED or str(index) not in opened:
            continue
        record = read_record(base64.b64decode(opened[str(index)]), entry)
        for society, secret in secrets.items():
            if society == author:
                continue
            own = secret.public_key().public_bytes_raw()
            require(own == rosters.routing_key(society), f"the routing key of {society} is another")
            pair = pair_key(secret, own, rosters.routing_key(author))
            mine = [s for s, tag in enumerate(entry["tags"]) if tag == tag_of(pair, head.origin, index, s)]
            expected = record["addressees"].count(society)
            require(len(mine) == expected, f"entry {index}: {society} finds {len(mine)} tags")
            recognised += len(mine)
    require(recognised > 0, "no tag was recognised by anyone")
    return f"records read {len(opened)}; tags recognised {recognised}"


if __name__ == "__main__":
    try:
        keys = {s: read_secret(Path(k) / "routing.key") for s, k in (a.split("=") for a in sys.argv[3:])}
        print(check(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), keys))
    except (Bad, ValueError, KeyError, OSError) as problem:
        print(f"WRONG  {type(problem).__name__}: {problem}")
        sys.exit(1)
