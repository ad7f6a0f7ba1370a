"""The log itself: entry bundles, hash tiles, and what each entry says in the clear."""

from tree import Tree, leaf
from wire import Bad, message, require

COMMITMENT = {1: ("digest", bytes), 2: ("size", int)}
ENTRY = {
    1: ("version", int),
    2: ("origin", str),
    3: ("index", int),
    4: ("recorded_at_ms", int),
    5: ("visibility", int),
    6: ("record", COMMITMENT),
    7: ("content", COMMITMENT),
    8: ("tags", [bytes]),
}
PUBLIC, FEDERATION, ADDRESSED = 1, 2, 3
ENTRY_MAX, BODY_MAX = 512, 1 << 20


def number_path(number):
    """C2SP tlog-tiles: groups of three digits, all but the last with an x before them."""
    path = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03}/{path}"
    return path


def tiles(count):
    """(path below its level, first, width) of the tiles that hold `count` hashes."""
    for number in range(count // 256):
        yield number_path(number), number * 256, 256
    if count % 256:
        number = count // 256
        yield f"{number_path(number)}.p/{count % 256}", number * 256, count % 256


def split_bundle(raw, path):
    entries, at = [], 0
    while at < len(raw):
        require(at + 2 <= len(raw), f"{path} ends within a length")
        length = int.from_bytes(raw[at : at + 2], "big")
        require(0 < length <= ENTRY_MAX, f"{path}: an entry of {length} bytes")
        require(at + 2 + length <= len(raw), f"{path} ends within an entry")
        entries.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def read_entry(raw, origin, index):
    """What the entry says, or None where it is of a version that we do not know."""
    require(raw[0] == 0x08, "an entry whose first byte is not 08")
    if raw[1:2] != b"\x01":
        require(len(raw) > 1 and raw[1] != 0, "an entry without version")
        return None
    entry = message(raw, ENTRY)
    require(entry["version"] == 1, "an entry whose version is not in its place")
    require(entry["origin"] == origin, f"it is of {entry['origin']}")
    require(entry["index"] == index < 2**40, f"it says that it is entry {entry['index']}")
    require(entry["visibility"] in (PUBLIC, FEDERATION, ADDRESSED), "of unknown visibility")
    require(entry["record"] is not None, "without a record")
    for part in filter(None, (entry["record"], entry["content"])):
        require(len(part["digest"]) == 32, "a digest that is not 32 bytes")
        require(0 < part["size"] <= BODY_MAX, f"a body of {part['size']} bytes")
    require(entry["content"] is not None or entry["visibility"] != ADDRESSED, "addressed, without content")
    allowed = (0, 2, 4, 8) if entry["visibility"] == ADDRESSED else (0,)
    require(len(entry["tags"]) in allowed, f"{len(entry['tags'])} tags")
    require(all(len(tag) == 16 for tag in entry["tags"]), "a tag that is not 16 bytes")
    return entry


def read_log(folder, head, seen):
    """The entries, each checked, of the log whose head was checked before."""
    raw_entries = []
    for path, _, width in tiles(head.size):
        bundle = split_bundle((folder / "tile/entries" / path).read_bytes(), path)
        require(len(bundle) == width, f"tile/entries/{path} has {len(bundle)} entries, not {width}")
        raw_entries += bundle
    tree = Tree([leaf(raw) for raw in raw_entries])
    require(tree.root(head.size) == head.root, "the entries do not have the checkpoint's root")
    for place, other in head.others.items():
        require(other.size <= head.size, f"{place} is of {other.size} entries, the export of {head.size}")
        require(tree.root(other.size) == other.root, f"{place} is of another history")
    seen["entries"] = head.size
    seen["hash tiles"] = check_tiles(folder, tree)
    entries = []
    for index, raw in enumerate(raw_entries):
        try:
            entries.append((raw, read_entry(raw, head.origin, index)))
        except (Bad, ValueError) as problem:
            raise Bad(f"entry {index}: {problem}") from problem
    return entries


def check_tiles(folder, tree):
    """Every hash tile, against the tree derived from the entries."""
    expected = set()
    for level in range(64):
        hashes = tree.levels[8 * level] if 8 * level < len(tree.levels) else []
        if not hashes:
            break
        for path, first, width in tiles(len(hashes)):
            path = f"tile/{level}/{path}"
            raw = (folder / path).read_bytes()
            require(raw == b"".join(hashes[first : first + width]), f"{path} is not the tree's")
            expected.add(path)
    bundles = {f"tile/entries/{path}" for path, _, _ in tiles(tree.size())}
    there = {str(p.relative_to(folder)) for p in (folder / "tile").rglob("*") if p.is_file()}
    require(there == expected | bundles, f"tiles that the tree does not have: {there - expected - bundles}")
    return len(expected)
