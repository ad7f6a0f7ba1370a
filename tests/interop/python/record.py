"""Records: who says what happened, under which name. docs/protocol.md, "Record and content"."""

import re

from wire import Enum, Flag, require, sha256, message

CONSENT = {
    1: ("status", Enum),
    2: ("form", Enum),
    3: ("given_by", Enum),
    4: ("language", str),
    5: ("interpreter", Flag),
    6: ("explained_at", int),
    7: ("expires_at", int),
    8: ("witnessed", Flag),
    9: ("recipients", [str]),
    10: ("fields", [str]),
    11: ("purposes", [Enum]),
}
SENT = {
    1: ("receiver", str),
    2: ("priority", Enum),
    3: ("stage", Enum),
    4: ("country_of_origin", str),
    5: ("country_of_stay", str),
    6: ("country_of_destination", str),
    7: ("services_requested", [Enum]),
    8: ("services_provided", [Enum]),
    9: ("vulnerabilities", [Enum]),
    10: ("legal_basis", Enum),
    11: ("consent", CONSENT),
    12: ("information_disclosed", [str]),
    13: ("information_withheld", [str]),
    14: ("purpose", Enum),
    15: ("retain_until", int),
    16: ("restrictions", [Enum]),
    17: ("age_band", Enum),
    18: ("sex", Enum),
    19: ("case_digest", bytes),
    20: ("onward_of", bytes),
    21: ("consent_override", {1: ("reason", Enum)}),
}
ONWARD_ERASURE = {1: ("referral_id", bytes), 2: ("stopped", Flag), 3: ("confirmed", Flag)}
SEEN = {1: ("origin", str), 2: ("index", int)}
REFERRAL = {
    1: ("referral_id", bytes),
    2: ("seen", {1: ("origin", str), 2: ("index", int)}),
    8: ("sent", SENT),
    9: ("acknowledged", {}),
    10: ("information_requested", {1: ("fields", [str])}),
    11: ("information_provided", {1: ("information_disclosed", [str])}),
    12: ("accepted", {}),
    13: ("declined", {1: ("code", Enum)}),
    14: ("withdrawn", {1: ("code", Enum)}),
    15: ("service_delivered", {1: ("result", Enum), 2: ("services_delivered", [Enum])}),
    16: ("closed", {1: ("outcome", Enum), 2: ("feedback", Enum)}),
    17: ("expired", {}),
    18: ("service_started", {}),
    19: ("appointment_scheduled", {1: ("at", int)}),
    20: ("appointment_missed", {1: ("code", Enum)}),
    21: ("paused", {1: ("code", Enum)}),
    22: ("resumed", {}),
    23: ("follow_up", {1: ("result", Enum)}),
    24: ("cancelled", {1: ("code", Enum)}),
    25: ("reopened", {1: ("code", Enum), 2: ("consent", CONSENT), 3: ("information_disclosed", [str])}),
    26: ("onward", {1: ("receiver", str), 2: ("referral_id", bytes)}),
    27: ("handover_proposed", {}),
    28: ("handover_accepted", {}),
    29: ("handover_declined", {}),
    30: ("consent_withdrawn", {1: ("by", Enum), 2: ("form", Enum), 3: ("carried", bytes), 4: ("extent", Enum)}),
    31: ("consent_renewed", {1: ("consent", CONSENT)}),
    32: ("corrected", {1: ("event", SEEN), 2: ("information_disclosed", [str])}),
    33: ("entered_in_error", {1: ("event", SEEN), 2: ("carried", bytes), 3: ("attachment", bytes)}),
    34: ("erasure_requested", {1: ("ground", Enum), 2: ("carried", bytes), 3: ("extent", Enum)}),
    35: (
        "erased",
        {
            1: ("reason", Enum),
            2: ("on", SEEN),
            3: ("entries", [SEEN]),
            4: ("onward", [ONWARD_ERASURE]),
            5: ("earlier", {1: ("stopped", Flag), 2: ("confirmed", Flag)}),
        },
    ),
    36: (
        "attached",
        {
            1: ("attachment_id", bytes),
            2: ("part", int),
            3: ("parts", int),
            4: ("kind", Enum),
            5: ("source", {1: ("society", str), 2: ("attachment_id", bytes)}),
        },
    ),
}
TEXT = {1: ("language", str), 2: ("title", str), 3: ("summary", str), 4: ("text", str)}
TEXT |= {5: ("results", str), 6: ("how_to_repeat", str)}
VERSION = {
    1: ("kind", Enum),
    2: ("texts", [TEXT]),
    3: ("countries", [str]),
    4: ("jurisdiction", str),
    5: ("legal_reference", str),
    6: ("effective_on", str),
    7: ("expires_on", str),
    8: ("stage", Enum),
    9: ("audience", Enum),
    10: ("severity", Enum),
    11: ("source_url", str),
    12: ("verification", Enum),
    13: ("supersedes", bytes),
    14: ("deadline_on", str),
    15: ("amount", str),
    16: ("group", str),
}
INFORMATION = {
    1: ("information_id", bytes),
    2: ("about", bytes),
    3: ("parties", [str]),
    8: ("published", VERSION),
    9: ("revised", VERSION),
    10: ("retracted", {1: ("reason", str)}),
    11: ("superseded", {1: ("by", bytes)}),
    12: ("acknowledged", {}),
    13: ("endorsed", {1: ("note", str)}),
    14: ("disputed", {1: ("code", Enum), 2: ("reason", str)}),
    15: ("acted_on", {1: ("code", Enum), 2: ("note", str)}),
    16: ("translated", {1: ("text", TEXT)}),
    17: ("taken_back", {1: ("event_id", bytes)}),
}
SAID = ("acknowledged", "endorsed", "disputed", "acted_on", "translated")
RECORD = {
    1: ("origin", str),
    2: ("event_id", bytes),
    3: ("actor", str),
    4: ("addressees", [str]),
    5: ("approver", str),
    6: ("has_content", Flag),
    8: ("referral", REFERRAL),
    9: ("information", INFORMATION),
}
DISCLOSED = re.compile(
    r"case_code|person\.(name|sex|age|nationality|languages|interpreter_needed|disability|safe_contact"
    r"|safe_contact_times|caregiver|separated_or_unaccompanied|dependants)|reason|risk"
    r"|services_already_provided|focal_point|consent_witness"
    r"|attachment\.(consent_form|medical_letter|identity_document|photo|other)|category\.\w+"
)
# What a record tells of a person without a name, and by which names that is listed as disclosed.
CATEGORIES = (
    "stage",
    "country_of_origin",
    "country_of_stay",
    "country_of_destination",
    "services_provided",
    "vulnerabilities",
    "age_band",
    "sex",
)


def known_by(what, origin, event_id):
    return sha256(b"tutti/v1/" + what, b"\0", origin.encode(), b"\0", event_id)[:16]


def transition(event, schema):
    """The name of the one transition; its number in the message is 8 or more."""
    set_ = [name for number, (name, _) in schema.items() if number >= 8 and event[name] is not None]
    require(len(set_) == 1, f"{len(set_)} transitions")
    return set_[0]


def read_record(raw, entry):
    """The record of an entry, with every rule that can be checked on it alone."""
    record = message(raw, RECORD)
    require(record["origin"] == entry["origin"], f"a record of {record['origin']}")
    require(len(record["event_id"]) == 16, "an event ID that is not 16 bytes")
    to, tags = record["addressees"], entry["tags"]
    require(len(to) <= len(tags) and bool(to) == (entry["visibility"] == 3), f"{len(to)} addressees")
    require(not record["has_content"] or entry["content"] is not None, "a content that is not there")
    referral, information = record["referral"], record["information"]
    require((referral is None) != (information is None), "no event, or two")
    if referral is not None:
        check_referral(record, referral, to)
    else:
        check_information(record, information, entry)
    return record


def check_information(record, information, entry):
    name = transition(information, INFORMATION)
    sealed, parties = entry["visibility"] == 3, information["parties"]
    require((entry["content"] is not None) == sealed, "a content beside clear text, or none where it is sealed")
    require(bool(parties) == sealed and parties == sorted(set(parties)), f"parties {parties}")
    own = known_by(b"information", record["origin"], record["event_id"])
    require(name != "published" or information["information_id"] == own, "another's ID")
    require(len(information["information_id"]) == 16, "an ID that is not 16 bytes")
    require(len(information["about"]) == (16 if name in SAID else 0), f"{name} about nothing, or something")
    if name in ("published", "revised"):
        version = information[name]
        require(version["texts"], f"{name} without a text")
        require(len(version["supersedes"]) in ((0, 16) if name == "published" else (0,)), "supersedes no share")
        free = [version[field] for field in ("jurisdiction", "legal_reference", "source_url", "amount", "group")]
        texts = version["texts"]
    else:
        free = [information[name].get(field, "") for field in ("reason", "note")]
        texts = [information[name]["text"]] if name == "translated" else []
    free += [text[field] for text in texts for field in text if field != "language"]
    require(not sealed or not any(free), "free text in a record that auditors open")


def scope(sent):
    """All that a record tells of the person, and what of it lies beyond the fields that they agreed to."""
    told = list(sent["information_disclosed"])
    held = ["category." + name for name in CATEGORIES if sent[name]]
    told += [name for name in held if name not in told]
    agreed = sent["consent"]["fields"] if sent["consent"] is not None else []
    free = (*agreed, "case_code", "focal_point")
    return told, [name for name in told if agreed and name not in free]


def check_scope(sent):
    """What is told of the person lies inside what they agreed to, where that is the ground."""
    told, beyond = scope(sent)
    held = sorted("category." + name for name in CATEGORIES if sent[name])
    listed = sorted(name for name in sent["information_disclosed"] if name.startswith("category."))
    require(not listed or listed == held, f"lists {listed}, and holds {held}")
    withheld = set(sent["information_withheld"])
    require(not withheld.intersection(told), "withheld, and disclosed all the same")
    require(sent["legal_basis"] != 1 or not beyond, f"beyond what the person agreed to: {beyond}")


def check_referral(record, referral, to):
    name = transition(referral, REFERRAL)
    require(len(to) == 1, "a referral that is not addressed to exactly one society")
    require(len(referral["referral_id"]) == 16, "an ID that is not 16 bytes")
    if referral["seen"] is not None:
        require(referral["seen"]["origin"].split("/")[1] == to[0], "seen in a third party's log")
    if name == "sent":
        sent = referral["sent"]
        own = known_by(b"referral", record["origin"], record["event_id"])
        require(referral["referral_id"] == own, "sent under another's ID")
        require(sent["receiver"] == to[0], f"sent to {sent['receiver']}, addressed to {to[0]}")
        require(len(sent["case_digest"]) in (0, 32), "a case digest that is none")
        require(sent["priority"] and sent["legal_basis"], "no priority or no legal basis")
        require(sent["legal_basis"] != 1 or sent["consent"] is not None, "consent that is missing")
        named = sent["information_disclosed"] + sent["information_withheld"]
        require(all(DISCLOSED.fullmatch(field) for field in named), f"unknown fields in {named}")
        check_scope(sent)
    if name == "attached":
        part = referral["attached"]
        require(len(part["attachment_id"]) == 16 and part["kind"], "a file without an ID or a kind")
        require(1 <= part["part"] <= part["parts"] <= 26, f"part {part['part']} of {part['parts']}")
        require(record["has_content"], "a part of a file without its bytes")
    if name == "entered_in_error":
        file = referral[name]["attachment"]
        require(len(file) in (0, 16), "a file without an ID")
        require(not file or referral[name]["event"] is None, "a step and a file at once")
    if name in ("declined", "withdrawn", "service_delivered", "closed"):
        code = referral[name].get("code") or referral[name].get("result") or referral[name].get("outcome")
        require(code, f"{name} without its code")
