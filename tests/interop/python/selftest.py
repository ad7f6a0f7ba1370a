#!/usr/bin/env python3
"""Alters a good export in every kind of place and expects the auditor to notice.

    selftest.py EXPORT PROOF LOG_KEY [COMMAND]

The auditor is audit.py, or COMMAND, which is given EXPORT and PROOF and looks at no bodies. An altered byte in somebody's cosignature may turn it into a line by a key that nobody knows, which
C2SP signed-note tells a reader to pass over: then the auditor must count one witness less.
LOG_KEY is the secret log key, with which the society itself rewrites its history.
"""

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from audit import audit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from log import split_bundle, tiles
from tree import Tree, leaf
from wire import ED25519, key_id

PLACES, FILES = 16, 3


def by_command(command):
    def judge(export, proof):
        done = subprocess.run([command, export, proof], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done
        return ([done.stdout] if done.returncode else []), done.stdout

    return judge


class Bench:
    def __init__(self, export, proof, judge):
        self.export, self.proof, self.judge = export, proof, judge
        self.good = judge(export, proof)
        assert not self.good[0], f"the export is not good to begin with: {self.good[0]}"
        self.tried, self.missed = 0, []

    def attempt(self, what, change):
        """Copies the export, changes it, and notes where the auditor sees no difference."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "export"
            shutil.copytree(self.export, copy)
            proof = shutil.copy(self.proof, folder)
            change(copy, Path(proof))
            bad, seen = self.judge(copy, proof)
        self.tried += 1
        if not bad and seen == self.good[1]:
            self.missed.append(what)


def flip(file, at):
    raw = bytearray(file.read_bytes())
    raw[at] ^= 1
    file.write_bytes(raw)


LOG = ("checkpoint", "heads/*", "roster/*", "tile/[0-9]*/**/*", "tile/entries/**/*")
BODIES = ("bodies/*", "erased/**/*")


def kinds(export, patterns=LOG + BODIES):
    """Files of each kind, a few of each, by their paths in the export."""
    for pattern in patterns:
        found = [path for path in sorted(export.glob(pattern)) if path.is_file()]
        found.sort(key=lambda path: (-path.stat().st_size, path))
        for path in found[:FILES] + found[FILES:][-FILES:]:
            if path.stat().st_size:
                yield path.relative_to(export)


def flips(bench, patterns):
    for path in kinds(bench.export, patterns):
        size = (bench.export / path).stat().st_size
        for at in sorted({size * n // PLACES for n in range(PLACES)} | {size - 1}):
            bench.attempt(f"{path}: bit flipped at {at}", lambda copy, _: flip(copy / path, at))
    size = bench.proof.stat().st_size
    for at in sorted({size * n // PLACES for n in range(PLACES)} | {size - 1}):
        bench.attempt(f"proof: bit flipped at {at}", lambda _, proof: flip(proof, at))


def signatures(bench):
    """Each roster without one of its signatures: the demo's have no more than they need."""
    for path in sorted((bench.export / "roster").iterdir()):
        lines = path.read_text().split("\n")
        for number, line in enumerate(lines):
            if line.startswith("— "):
                less = "\n".join(lines[:number] + lines[number + 1 :])
                place = path.relative_to(bench.export)
                bench.attempt(f"{place}: a signature gone", lambda copy, _: (copy / place).write_text(less))


def lengths(bench):
    for path in kinds(bench.export):
        raw = (bench.export / path).read_bytes()
        bench.attempt(f"{path}: cut", lambda copy, _: (copy / path).write_bytes(raw[:-1]))
        bench.attempt(f"{path}: grown", lambda copy, _: (copy / path).write_bytes(raw + b"\0"))
        bench.attempt(f"{path}: gone", lambda copy, _: (copy / path).unlink())


def strangers(bench):
    """Files to which nothing in the log leads."""
    for path in ("bodies/" + "0" * 64, "tile/0/999", "tile/entries/999", "roster/99", "heads/zz", "erased/000"):
        def add(copy, _, path=path):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_bytes(b"x")
        bench.attempt(f"{path}: added", add)


def sign(text, name, secret):
    raw = secret.public_key().public_bytes_raw()
    signature = base64.b64encode(key_id(name, ED25519, raw) + secret.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def rewrite(copy, entries, secret):
    """The society writes another history and signs it with its own key, tiles and all."""
    origin = (copy / "checkpoint").read_text().split("\n")[0]
    shutil.rmtree(copy / "tile")
    tree = Tree([leaf(entry) for entry in entries])
    for level in range(0, len(tree.levels), 8):
        for path, first, width in tiles(len(tree.levels[level])):
            file = copy / f"tile/{level // 8}/{path}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"".join(tree.levels[level][first : first + width]))
    for path, first, width in tiles(len(entries)):
        file = copy / f"tile/entries/{path}"
        file.parent.mkdir(parents=True, exist_ok=True)
        part = entries[first : first + width]
        file.write_bytes(b"".join(len(entry).to_bytes(2, "big") + entry for entry in part))
    root = base64.b64encode(tree.root(len(entries))).decode()
    (copy / "checkpoint").write_text(sign(f"{origin}\n{len(entries)}\n{root}\n", origin, secret))


def rewritten(bench, secret):
    entries = []
    for path in sorted((bench.export / "tile/entries").rglob("*")):
        if path.is_file():
            entries += split_bundle(path.read_bytes(), path.name)

    def history(what, change):
        def apply(copy, _proof):
            altered = list(entries)
            change(altered)
            rewrite(copy, altered, secret)
        bench.attempt(f"history rewritten: {what}", apply)

    history("the last entry dropped", lambda all: all.pop())
    history("the first entry dropped", lambda all: all.pop(0))
    history("two entries exchanged", lambda all: all.insert(0, all.pop(1)))
    history("one bit of the first entry", lambda all: all.__setitem__(0, all[0][:-1] + bytes([all[0][-1] ^ 1])))
    history("an entry twice", lambda all: all.append(all[-1]))


def read_secret(file):
    lines = [line.strip() for line in Path(file).read_text().split("\n")]
    (line,) = [line for line in lines if line and not line.startswith("#")]
    raw = base64.b64decode(line.split("+", 4)[4])
    return Ed25519PrivateKey.from_private_bytes(raw[1:])


def main():
    export, proof, key = map(Path, sys.argv[1:4])
    if len(sys.argv) > 4:
        bench = Bench(export, proof, by_command(sys.argv[4]))
        flips(bench, LOG)
    else:
        bench = Bench(export, proof, lambda export, proof: audit(export, proofs=[proof]))
        flips(bench, LOG + BODIES)
        lengths(bench)
        strangers(bench)
    signatures(bench)
    rewritten(bench, read_secret(key))
    for what in bench.missed:
        print(f"WRONG  not noticed: {what}")
    print(f"alterations {bench.tried}; not noticed {len(bench.missed)}")
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
