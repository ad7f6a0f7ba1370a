"""C2SP tlog-proof: evidence of one entry."""

from heads import read_head
from log import read_entry
from tree import leaf, root_from_inclusion
from wire import from_base64, require


def read_proof(raw):
    """(the entry or None, index, inclusion path, signed head)"""
    head_at = raw.find(b"\n\n")
    require(head_at >= 0, "a proof without checkpoint")
    lines = raw[:head_at].decode("ascii").split("\n")
    require(lines.pop(0) == "c2sp.org/tlog-proof@v1", "not a tlog-proof")
    entry = None
    if lines and lines[0].startswith("extra "):
        entry = from_base64(lines.pop(0)[6:], "the entry")
    require(lines and lines[0].startswith("index "), "a proof without index")
    index = lines.pop(0)[6:]
    require(index.isascii() and index.isdigit() and str(int(index)) == index, "an index that is no number")
    path = [from_base64(line, "a hash") for line in lines]
    require(all(len(part) == 32 for part in path), "a hash that is not 32 bytes")
    require(len(path) <= 64, f"{len(path)} hashes")
    return entry, int(index), path, raw[head_at + 2 :]


def check_proof(file, rosters, entries, head, seen):
    """The proof holds, under a head that its log signed, for the entry in the export."""
    entry, index, path, note = read_proof(file.read_bytes())
    proven, _ = read_head(note, rosters, head.origin)
    require(index < len(entries), f"entry {index} is not in the export")
    require(entry in (None, entries[index][0]), "the proof's entry is not the export's")
    read_entry(entries[index][0], proven.origin, index)
    found = root_from_inclusion(index, proven.size, leaf(entries[index][0]), path)
    require(found == proven.root, f"entry {index} is not under the proof's head")
    seen["proofs"] = seen.get("proofs", 0) + 1
    seen["cosignatures"] += len(proven.witnesses)
