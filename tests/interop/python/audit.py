#!/usr/bin/env python3
"""Checks an exported log of Tutti, with none of Tutti's code.

Written from docs/protocol.md and the C2SP specifications that it names, on `cryptography` alone.
Nothing in the export is believed: the chain of trust begins at the first roster, whose hash a
careful auditor gets by another way (--roster-hash).

Exit code: 0 nothing wrong, 1 something is wrong, 2 it could not be read.
"""

import argparse
import json
import sys
from pathlib import Path

from bodies import check_bodies
from heads import check_heads
from log import ADDRESSED, read_log
from proof import check_proof
from roster import read_rosters
from wire import Bad


def audit(folder, roster_hash=None, proofs=(), sealed=None):
    """All that is wrong with the export in `folder`, and what was looked at. Where `sealed` is a
    list, the sealed bodies that are there are added to it."""
    bad, seen = [], {}

    def step(name, check, *arguments):
        try:
            return check(*arguments)
        except Bad as problem:
            bad.append(f"{name}: {problem}")
        except (ValueError, KeyError, IndexError, TypeError, OSError, UnicodeError) as problem:
            bad.append(f"{name}: unreadable: {type(problem).__name__}: {problem}")
        return None

    rosters = step("roster", read_rosters, folder, roster_hash, seen)
    if rosters is None:
        return bad, seen
    head = step("heads", check_heads, folder, rosters, seen)
    if head is None:
        return bad, seen
    entries = step("log", read_log, folder, head, seen)
    if entries is None:
        return bad, seen
    step("bodies", check_bodies, folder, entries, seen)
    for file in proofs:
        step(f"proof {Path(file).name}", check_proof, Path(file), rosters, entries, head, seen)
    if sealed is not None:
        sealed += sealed_bodies(folder, entries)
    return bad, seen


def sealed_bodies(folder, entries):
    for index, (_, entry) in enumerate(entries):
        if not entry or entry["visibility"] != ADDRESSED:
            continue
        digests = {part: entry[part]["digest"].hex() for part in ("record", "content") if entry[part]}
        there = {part: d for part, d in digests.items() if (folder / "bodies" / d).exists()}
        if "record" in there:
            yield {"index": index, **there}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("export", type=Path)
    arguments.add_argument("--roster-hash", help="the hash of the first roster, in hexadecimal")
    arguments.add_argument("--proof", action="append", default=[], help="a .tlog-proof file")
    arguments.add_argument("--bodies", type=Path, help="write the list of sealed bodies there")
    given = arguments.parse_args()
    if not given.export.is_dir():
        print(f"{given.export} is no folder", file=sys.stderr)
        return 2
    sealed = []
    bad, seen = audit(given.export, given.roster_hash, given.proof, sealed)
    if given.bodies:
        given.bodies.write_text(json.dumps({"origin": seen.get("origin"), "entries": sealed}))
    for problem in bad:
        print(f"WRONG  {problem}")
    print("; ".join(f"{what} {count}" for what, count in seen.items()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
