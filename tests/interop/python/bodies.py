"""Bodies against the commitments of the entries, and what of them may be read without a key."""

import re

from log import ADDRESSED, number_path
from record import read_record
from wire import require, sha256

SALT = 32
FRAMES = [8192, 16384, 32768, 65536, 131072, 262144, 524288, 1015808]
ALIKE_MAX = 65536
HEADER_MAX, HEADER_LINES_MAX, RECIPIENTS_MAX = 64 * 1024, 80, 32


def check_sealed(body, part, tags):
    """The outside of a C2SP age file, all that whoever has no key can check; the size of its frame."""
    lines = body[:HEADER_MAX].split(b"\n")
    require(lines[0] == b"age-encryption.org/v1", "not version 1 of age")
    end = next((n for n, line in enumerate(lines[:HEADER_LINES_MAX]) if line.startswith(b"---")), None)
    require(end is not None, "a header that does not end within its limit")
    require(re.fullmatch(rb"--- [A-Za-z0-9+/]{43}", lines[end]), "a MAC line that is none")
    kinds = [line.split(b" ")[1] for line in lines[1:end] if line.startswith(b"-> ")]
    sealed = [kind for kind in kinds if kind == b"mlkem768x25519"]
    stanzas = (tags + 1) * {"record": 2, "content": 1}[part]
    require(len(sealed) == stanzas <= RECIPIENTS_MAX, f"{len(sealed)} stanzas, and {tags} tags")
    others = [kind for kind in kinds if kind not in sealed and not kind.endswith(b"-grease")]
    require(not others, f"stanzas of other types: {others}")
    payload = len(body) - sum(len(line) + 1 for line in lines[: end + 1])
    frames = [size for size in FRAMES if payload == 16 + size + 16 * -(-size // 65536)]
    require(frames, f"a payload of {payload} bytes, which no frame makes")
    return frames[0]


def digest_of(origin, index, part, body):
    """What the entry at this place commits to."""
    number = {"record": 1, "content": 2}[part]
    place = origin.encode() + b"\0" + index.to_bytes(8, "big") + bytes([number])
    return sha256(b"tutti/v1/body\0", place, body)


def check_bodies(folder, entries, seen):
    wanted = {}
    for index, (raw, entry) in enumerate(entries):
        for part in ("record", "content"):
            if entry and entry[part]:
                wanted.setdefault(entry[part]["digest"].hex(), []).append((index, part, entry))
    frames = {}
    there = folder / "bodies"
    present = {file.name for file in there.iterdir()} if there.is_dir() else set()
    for name in sorted(present):
        require(name in wanted, f"bodies/{name}, to which no entry commits")
        body = (there / name).read_bytes()
        for index, part, entry in wanted[name]:
            place = f"the {part} of entry {index}"
            digest = digest_of(entry["origin"], index, part, body).hex()
            require(digest == name, f"bodies/{name} is not {place}")
            require(len(body) == entry[part]["size"], f"{place} is {len(body)} bytes")
            if entry["visibility"] == ADDRESSED:
                frames.setdefault(index, {})[part] = check_sealed(body, part, len(entry["tags"]))
            elif part == "record":
                require(len(body) >= SALT, f"{place} is shorter than its salt")
                read_record(body[SALT:], entry)
    for index, pair in frames.items():
        if len(pair) == 2:
            alike = pair["record"] == pair["content"] or min(pair.values()) >= ALIKE_MAX
            require(alike, f"the two bodies of entry {index} are not alike: {pair}")
    erased = read_erased(folder, entries)
    for digest in erased:
        require(digest not in present, f"bodies/{digest} is there though erased")
    seen["bodies"] = len(present)
    seen["erased"] = len(erased)
    seen["absent"] = len(set(wanted) - present - set(erased))


def read_erased(folder, entries):
    """Digests by the entry bundle that commits to them."""
    digests = []
    for file in sorted((folder / "erased").rglob("*")):
        if file.is_dir():
            continue
        place = str(file.relative_to(folder))
        text = file.read_bytes().decode("ascii")
        require(text.endswith("\n"), f"{place} does not end with a newline")
        lines = text.split("\n")[:-1]
        require(all(re.fullmatch("[0-9a-f]{64}", line) for line in lines), f"{place}: not a digest")
        number = "".join(part.removeprefix("x") for part in file.relative_to(folder / "erased").parts)
        require(number.isdigit() and place == f"erased/{number_path(int(number))}", f"{place}: no bundle")
        bundle = entries[int(number) * 256 :][:256]
        there = {
            entry[part]["digest"].hex()
            for _, entry in bundle
            for part in ("record", "content")
            if entry and entry[part]
        }
        require(set(lines) <= there, f"{place}: no entry there commits to {sorted(set(lines) - there)}")
        digests += lines
    return sorted(set(digests))
