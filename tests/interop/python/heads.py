"""Signed heads: the checkpoint and the newest head that each witness cosigned."""

from dataclasses import dataclass, field

from wire import COSIGNATURE, ED25519, from_base64, open_note, require, verifies

HEAD_MAX = 32 * 1024


@dataclass
class Head:
    origin: str
    size: int
    root: bytes
    # By society: the time of its cosignature, in seconds since the Unix epoch. The log's own society
    # vouches for nothing by it.
    witnesses: dict
    # By path: the other heads of the export.
    others: dict = field(default_factory=dict)


def read_text(text):
    lines = text.decode().split("\n")
    require(len(lines) == 4 and lines[3] == "", "a head that is not three lines")
    origin, size, root = lines[:3]
    require(size.isascii() and size.isdigit() and str(int(size)) == size, f"size {size!r}")
    require(int(size) <= 2**40, f"size {size}")
    root = from_base64(root, "the root")
    require(len(root) == 32, "a root that is not 32 bytes")
    return origin, int(size), root


def read_head(raw, rosters, origin=None):
    """The head and its note; every signature by a key that the roster knows is checked."""
    note = open_note(raw, HEAD_MAX)
    found, size, root = read_text(note.text)
    require(origin in (None, found), f"a head of {found}, not of {origin}")
    signatures = note.by(found, ED25519, rosters.log_key(found))
    require(len(signatures) == 1, f"{len(signatures)} signatures by the log's key, not one")
    require(verifies(rosters.log_key(found), note.text, signatures[0]), "the log's signature is false")
    witnesses = {}
    for society, name, public in rosters.witnesses():
        for stamped in note.by(name, COSIGNATURE, public):
            require(len(stamped) == 72, f"a cosignature by {society} of {len(stamped)} bytes")
            time = int.from_bytes(stamped[:8], "big")
            require(time < 2**63, f"a cosignature by {society} out of time")
            signed = f"cosignature/v1\ntime {time}\n".encode() + note.text
            require(verifies(public, signed, stamped[8:]), f"the cosignature by {society} is false")
            witnesses[society] = min(time, witnesses.get(society, time))
    return Head(found, size, root, witnesses), note


def check_heads(folder, rosters, seen):
    """The checkpoint, with the other heads beside it; their roots are the log's to check."""
    head, _ = read_head((folder / "checkpoint").read_bytes(), rosters)
    author = rosters.society_of(head.origin)
    seen["origin"], seen["cosignatures"] = head.origin, len(head.witnesses)
    require(author not in head.witnesses, "the checkpoint is cosigned by its own society")
    if (folder / "heads").is_dir():
        for file in sorted((folder / "heads").iterdir()):
            place = f"heads/{file.name}"
            other, _ = read_head(file.read_bytes(), rosters, head.origin)
            require(file.name in other.witnesses, f"{place} is not cosigned by {file.name}")
            head.others[place] = other
            seen["cosignatures"] += len(other.witnesses)
    seen["heads"] = 1 + len(head.others)
    return head
