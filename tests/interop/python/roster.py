"""Rosters: who the members are, each version signed as the one before demands."""

import datetime
import ipaddress
import json
import re
import unicodedata

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from bech32 import read_age_key
from wire import (
    COSIGNATURE,
    ED25519,
    Bad,
    from_base64,
    is_small_order,
    key_id,
    open_note,
    read_vkey,
    require,
    sha256,
    verifies,
)

FIRST_LINE = b"tutti-roster/v1\n"
ROSTER_MAX, LINES_MAX = 1_000_000, 100
FIELDS = ["federation", "version", "previous", "threshold", "expires_on", "data_protection", "relaying"]
FIELDS += ["members"]
HOURS = ["emergency_hours", "urgent_hours", "normal_hours"]
ACKNOWLEDGE = ["emergency", "urgent", "normal"]
MEMBER = ["society", "name", "endpoints", "role", "status", "root_key", "log_key", "witness_key"]
MEMBER += ["tls_key", "case_key", "audit_key", "routing_key"]
DESK = ["name", "telephone", "email", "other", "hours", "languages"]
SPKI = bytes.fromhex("302a300506032b6570032100")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
SOCIETY = re.compile("[a-z]{2}|ifrc|icrc")
FEDERATION = re.compile(rf"{LABEL}(\.{LABEL})+")
HIDDEN = {0x061C, 0xFEFF, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x206A)}


def whole(value, low, high, what):
    require(type(value) is int and low <= value <= high, f"{what} is {value!r}")
    return value


class Member:
    def __init__(self, fields, federation):
        require(list(fields) in (MEMBER, [*MEMBER, "desk"]), f"a member with the fields {list(fields)}")
        self.society = fields["society"]
        require(SOCIETY.fullmatch(self.society), f"society {self.society!r}")
        self.status = fields["status"]
        require(self.status in ("active", "suspended", "removed"), f"status {self.status!r}")
        require(fields["role"] in ("member", "observer", "relay"), f"role {fields['role']!r}")
        check_name(fields["name"])
        check_endpoints(fields["endpoints"])
        if "desk" in fields:
            check_desk(fields["desk"])
        self.origin, log = read_vkey(fields["log_key"], ED25519)
        prefix = f"{federation}/{self.society}/"
        epoch = self.origin.removeprefix(prefix)
        require(self.origin == prefix + epoch and re.fullmatch("[1-9][0-9]{0,9}", epoch), f"log {self.origin}")
        self.epoch = whole(int(epoch), 1, 2**32 - 1, "epoch")
        self.root = read_vkey(fields["root_key"], ED25519)
        self.witness = read_vkey(fields["witness_key"], COSIGNATURE)
        require(self.root[0] == prefix + "root", f"a root key named {self.root[0]}")
        require(self.witness[0] == prefix + "witness", f"a witness key named {self.witness[0]}")
        tls = from_base64(fields["tls_key"], "tls_key")
        require(len(tls) == 44 and tls.startswith(SPKI), "tls_key is no Ed25519 SubjectPublicKeyInfo")
        require(not is_small_order(tls[12:]), "tls_key is weak")
        self.log, self.routing = log, read_routing_key(fields["routing_key"])
        self.uses = {"root": self.root[1], "log": log, "witness": self.witness[1]}
        self.uses |= {"tls": tls[12:], "routing": self.routing}
        for use in ("case", "audit"):
            raw = read_age_key(fields[f"{use}_key"])
            self.uses |= {f"{use} ML-KEM": raw[:1184], f"{use} X25519": raw[1184:]}


def read_routing_key(text):
    raw = from_base64(text, "routing_key")
    require(len(raw) == 32, "routing_key is not 32 bytes")
    require(int.from_bytes(raw, "little") < 2**255 - 19, "routing_key is not reduced")
    # Refuses what gives an all-zero secret, which no secret of ours can change.
    X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
    return raw


def check_name(name):
    require(name, "an empty name")
    check_line(name)


def check_line(line):
    require(len(line) <= 100 and line == line.strip(), f"line {line!r}")
    require(not any(unicodedata.category(c) == "Cc" or ord(c) in HIDDEN for c in line), f"line {line!r}")


def check_desk(desk):
    """Left out where it is not known."""
    require(list(desk) == DESK, f"a desk with the fields {list(desk)}")
    for line in desk.values():
        check_line(line)
    require(desk["name"], "a desk that is no office")
    require(desk["telephone"] or desk["email"] or desk["other"], "a desk that nobody can reach")
    require(sum(len(line.encode()) for line in desk.values()) <= 320, "a desk with too much to say")


def check_acknowledge(apart, answer):
    """Left out where they are those to answer."""
    require(isinstance(apart, dict) and list(apart) == ACKNOWLEDGE, "acknowledge_hours")
    hours = [whole(apart[name], 1, 8760, name) for name in ACKNOWLEDGE]
    require(hours == sorted(hours), "less time to acknowledge what is less urgent")
    require(all(mine <= theirs for mine, theirs in zip(hours, answer)), "more time to acknowledge than to answer")


def check_endpoints(endpoints):
    require(len(endpoints) <= 4 and len(set(endpoints)) == len(endpoints), "endpoints")
    for endpoint in endpoints:
        host, colon, port = endpoint.rpartition(":")
        require(colon and re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) < 65536, f"endpoint {endpoint}")
        if host.startswith("["):
            require(host == f"[{ipaddress.IPv6Address(host[1:-1])}]", f"endpoint {endpoint}")
        elif re.fullmatch("[0-9.]+", host):
            require(host == str(ipaddress.IPv4Address(host)), f"endpoint {endpoint}")
        else:
            require(re.fullmatch(rf"{LABEL}(\.{LABEL})*", host), f"endpoint {endpoint}")


def canonical_json(text, first_line):
    require(text.startswith(first_line), f"does not begin with {first_line}")
    document = text[len(first_line) :].decode()
    fields = json.loads(document)
    again = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    require(again == document, "a document that is not in its one form")
    return fields


def check_groups(groups, members):
    """Left out where there is none."""
    require(groups is None or 1 <= len(groups) <= 50, "groups")
    names = [group["name"] for group in groups or []]
    require(names == sorted(set(names)), f"groups {names}")
    for group in groups or []:
        require(list(group) == ["name", "members"], f"a group with the fields {list(group)}")
        require(re.fullmatch("[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", group["name"]), f"group {group['name']!r}")
        inside = group["members"]
        require(1 <= len(inside) <= 50 and inside == sorted(set(inside)), f"group of {inside}")
        require(set(inside) <= members, f"group of strangers: {inside}")


def check_federation(name):
    require(FEDERATION.fullmatch(name) and len(name) <= 100, f"federation {name!r}")


def distinct_keys(members):
    """One key, one use: where each key stands."""
    keys = {}
    for member in members:
        for use, key in member.uses.items():
            where = (member.society, use)
            require(key not in keys, f"{where} and {keys.get(key)} are one key")
            keys[key] = where
    return keys


class Roster:
    """One version: its text is checked here, its signatures in the chain."""

    def __init__(self, raw):
        self.note = open_note(raw, ROSTER_MAX)
        require(len(self.note.lines) <= LINES_MAX, f"{len(self.note.lines)} signatures")
        self.hash = sha256(self.note.text)
        fields = canonical_json(self.note.text, FIRST_LINE)
        require(list(fields) in (FIELDS, [*FIELDS, "groups"]), f"a roster with the fields {list(fields)}")
        self.federation = fields["federation"]
        check_federation(self.federation)
        self.version = whole(fields["version"], 1, 2**32 - 1, "version")
        self.previous = fields["previous"]
        check_groups(fields.get("groups"), {member["society"] for member in fields["members"]})
        members = [Member(member, self.federation) for member in fields["members"]]
        require(1 <= len(members) <= 512, f"{len(members)} members")
        self.members = {member.society: member for member in members}
        require(list(self.members) == sorted(m.society for m in members), "members not in order, or twice")
        active = sum(member.status == "active" for member in members)
        self.threshold = whole(fields["threshold"], 1, active, "threshold")
        date = fields["expires_on"]
        require(datetime.date.fromisoformat(date).isoformat() == date >= "1970", f"expires_on {date}")
        relaying = fields["relaying"]
        require(list(relaying) == ["member_mib", "total_mib", "keep_days"], "relaying")
        whole(relaying["member_mib"], 1, 65_536, "member_mib")
        whole(relaying["total_mib"], relaying["member_mib"], 16_777_216, "total_mib")
        whole(relaying["keep_days"], 1, 365, "keep_days")
        protection = fields["data_protection"]
        times = [*HOURS, "retention_days"]
        require(list(protection) in (times, [*times, "acknowledge_hours"]), "data_protection")
        hours = [whole(protection[name], 1, 8760, name) for name in HOURS]
        require(hours == sorted(hours), "a deadline shorter than that of a higher priority")
        whole(protection["retention_days"], 1, 36525, "retention_days")
        if "acknowledge_hours" in protection:
            check_acknowledge(protection["acknowledge_hours"], hours)
        self.keys = distinct_keys(members)

    def signed_by(self, other):
        """Active members of `other` whose root keys, as there, signed this version."""
        return {
            m.society
            for m in other.members.values()
            if m.status == "active" and self.note.by(m.root[0], ED25519, m.root[1])
        }

    def check_signatures(self, previous):
        known = {}
        for roster in (self, previous or self):
            for member in roster.members.values():
                name, public = member.root
                known[name, key_id(name, ED25519, public)] = public
        lines = [(name, key) for name, key, _ in self.note.lines]
        require(len(set(lines)) == len(lines), "a key signed twice")
        for name, key, signature in self.note.lines:
            require((name, key) in known, f"signed by {name}, which is no root key")
            require(verifies(known[name, key], self.note.text, signature), f"signature by {name} is false")

    def check_first(self):
        require(self.version == 1 and self.previous is None, "roster/1 is not version 1")
        require(all(m.status == "active" for m in self.members.values()), "a member that is not active")
        self.check_signatures(None)
        missing = set(self.members) - self.signed_by(self)
        require(not missing, f"not signed by {sorted(missing)}")

    def check_next(self, previous):
        require(self.version == previous.version + 1, f"version {self.version} after {previous.version}")
        require(self.previous == previous.hash.hex(), "previous is not the hash of the version before")
        require(self.federation == previous.federation, "another federation")
        self.check_signatures(previous)
        for roster, whose in ((previous, "the version before"), (self, "its own")):
            count = len(self.signed_by(roster))
            require(count >= roster.threshold, f"{count} signatures by {whose}; {roster.threshold} needed")
        gone = set(previous.members) - set(self.members)
        require(not gone, f"{sorted(gone)} are no longer listed")
        for society, before in previous.members.items():
            now = self.members[society]
            require(now.log == before.log or now.epoch > before.epoch, f"the log key of {society}")
        for key, where in self.keys.items():
            require(previous.keys.get(key, where) == where, f"{where} was {previous.keys.get(key)}")


def read_card(raw):
    """A membership card: the member, and the fingerprint that people compare."""
    require(len(raw) <= 16 * 1024, f"a card of {len(raw)} bytes")
    note = open_note(raw, ROSTER_MAX)
    document = canonical_json(note.text, b"tutti-card/v1\n")
    require(list(document) == ["federation", "member"], f"a card with the fields {list(document)}")
    check_federation(document["federation"])
    member = Member(document["member"], document["federation"])
    require(member.status == "active", f"a card of a member that is {member.status}")
    distinct_keys([member])
    name, public = member.root
    require(len(note.lines) == 1, f"{len(note.lines)} signatures, not one")
    signatures = note.by(name, ED25519, public)
    require(signatures and verifies(public, note.text, signatures[0]), "not signed by its root key")
    digits = sha256(note.text).hex()[:30]
    return member, " ".join(digits[at : at + 5] for at in range(0, 30, 5))


class Rosters:
    """The whole chain. A key of an earlier version still verifies what it signed."""

    def __init__(self, chain):
        self.newest = chain[-1]
        self.count = len(chain)
        self.members = [member for roster in chain for member in roster.members.values()]

    def log_key(self, origin):
        found = [member.log for member in self.members if member.origin == origin]
        if not found:
            raise Bad(f"no roster has a log {origin}")
        return found[-1]

    def society_of(self, origin):
        return next(member.society for member in self.members if member.origin == origin)

    def witnesses(self):
        """(society, key name, public key), once each."""
        return sorted({(member.society, *member.witness) for member in self.members})

    def routing_key(self, society):
        return self.newest.members[society].routing


def read_rosters(folder, first_hash, seen):
    files = {file.name: file for file in (folder / "roster").iterdir()}
    numbers = [str(number + 1) for number in range(len(files))]
    require(files and set(files) == set(numbers), f"rosters {sorted(files)}")
    chain = []
    for number in numbers:
        try:
            roster = Roster(files[number].read_bytes())
            roster.check_next(chain[-1]) if chain else roster.check_first()
        except (Bad, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Bad(f"version {number}: {problem}") from problem
        chain.append(roster)
    require(first_hash in (None, chain[0].hash.hex()), f"the first roster has the hash {chain[0].hash.hex()}")
    seen["rosters"] = len(chain)
    seen["roster signatures"] = sum(len(roster.note.lines) for roster in chain)
    return Rosters(chain)
