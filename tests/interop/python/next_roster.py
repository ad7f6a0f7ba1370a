#!/usr/bin/env python3
"""Writes version 2 of a demo's roster, signed by two of its three members: a day later it expires,
and Qatar's society has another witness key. docs/protocol.md, "The roster".

    next_roster.py DEMO OUT

DEMO is the folder of a demo; the new key, and the membership card with it, are put in the place of the
old ones there.
"""

import base64
import datetime
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from roster import FIRST_LINE, Roster, read_card
from selftest import read_secret
from wire import COSIGNATURE, ED25519, key_id


def new_key(file, name):
    """A new witness key, in the format of the old one; its verifier key."""
    secret = Ed25519PrivateKey.generate()
    public = secret.public_key().public_bytes_raw()
    number = key_id(name, COSIGNATURE, public).hex()
    encode = lambda raw: base64.b64encode(bytes([COSIGNATURE]) + raw).decode()
    file.write_text(f"PRIVATE+KEY+{name}+{number}+{encode(secret.private_bytes_raw())}\n")
    return f"{name}+{number}+{encode(public)}"


def signed(demo, first_line, fields, societies):
    """The signed note of a JSON document, by the root keys of these societies."""
    text = first_line + json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    note = text + "\n"
    for society in societies:
        secret, name = read_secret(demo / society / "keys/root.key"), f"{fields['federation']}/{society}/root"
        number = key_id(name, ED25519, secret.public_key().public_bytes_raw())
        note += f"— {name} {base64.b64encode(number + secret.sign(text.encode())).decode()}\n"
    return note


def main():
    demo, out = map(Path, sys.argv[1:3])
    first = Roster((demo / "sg/roster/1").read_bytes())
    fields = json.loads(first.note.text[len(FIRST_LINE) :])
    fields["version"], fields["previous"] = 2, first.hash.hex()
    day = datetime.date.fromisoformat(fields["expires_on"]) + datetime.timedelta(days=1)
    fields["expires_on"] = day.isoformat()
    (qatar,) = [member for member in fields["members"] if member["society"] == "qa"]
    qatar["witness_key"] = new_key(demo / "qa/keys/witness.key", f"{first.federation}/qa/witness")
    card = {"federation": first.federation, "member": qatar}
    out.write_text(signed(demo, FIRST_LINE.decode(), fields, ("ph", "sg")))
    (demo / "qa/card.note").write_text(signed(demo, "tutti-card/v1\n", card, ("qa",)))
    read_card((demo / "qa/card.note").read_bytes())
    Roster(out.read_bytes()).check_next(first)
    print(f"version 2 expires on {fields['expires_on']}; signed by ph and sg")


if __name__ == "__main__":
    main()
