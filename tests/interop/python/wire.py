"""Signed notes, strict Ed25519, protobuf's one encoding: what every other part stands on."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Bad(Exception):
    """Something in the export is not as the protocol has it."""


def require(holds, problem):
    if not holds:
        raise Bad(problem)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def from_base64(text, what):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as problem:
        raise Bad(f"{what} is not base64") from problem
    require(base64.b64encode(raw).decode() == text, f"{what} is not canonical base64")
    return raw


# ---- Ed25519, strictly ----------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _small_order():
    """The y coordinates of the eight points whose order divides eight."""
    root = pow(2, (P - 1) // 4, P)  # of -1

    def sqrt(square):
        candidate = pow(square, (P + 3) // 8, P)
        for result in (candidate, candidate * root % P):
            if result * result % P == square % P:
                return result
        return None

    ys = {0, 1, P - 1}
    # Doubling a point of order eight gives y = 0, that is x² = -y², so d·y⁴ + 2y² = 1.
    one_d = sqrt(1 + D)
    for sign in (one_d, -one_d):
        y = sqrt((sign - 1) * pow(D, P - 2, P) % P)
        if y is not None:
            ys |= {y, P - y}
    assert len(ys) == 5
    return ys


SMALL_ORDER = _small_order()


def is_small_order(point):
    return (int.from_bytes(point, "little") & (2**255 - 1)) % P in SMALL_ORDER


def verifies(public, message, signature):
    """RFC 8032 without cofactor; S reduced; neither the key nor R of small order."""
    if len(public) != 32 or len(signature) != 64:
        return False
    if is_small_order(public) or is_small_order(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# ---- C2SP signed-note -----------------------------------------------------------------------

ED25519, COSIGNATURE = 1, 4


def key_id(name, algorithm, public):
    return sha256(name.encode(), b"\n", bytes([algorithm]), public)[:4]


@dataclass
class Note:
    text: bytes
    # name, key ID, signature; in the order of the lines.
    lines: list

    def by(self, name, algorithm, public):
        """The signatures on the lines that bear this key's name and ID."""
        wanted = (name, key_id(name, algorithm, public))
        return [signature for who, key, signature in self.lines if (who, key) == wanted]


def open_note(raw, limit):
    require(len(raw) <= limit, f"a note of {len(raw)} bytes; at most {limit}")
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise Bad("a note that is not UTF-8") from problem
    require(all(c >= " " or c == "\n" for c in whole), "a note with control characters")
    at = whole.rfind("\n\n")
    require(at >= 0, "a note without signatures")
    text, signatures = whole[: at + 1], whole[at + 2 :]
    require(signatures.endswith("\n"), "a note that does not end with a newline")
    lines = []
    for line in signatures[:-1].split("\n"):
        words = line.split(" ")
        require(len(words) == 3 and words[0] == "—", f"not a signature line: {line!r}")
        require(words[1] and "+" not in words[1], f"not a key name: {words[1]!r}")
        require(not any(c.isspace() for c in words[1]), f"not a key name: {words[1]!r}")
        signature = from_base64(words[2], "a signature")
        require(len(signature) > 4, "a signature that is too short")
        lines.append((words[1], signature[:4], signature[4:]))
    return Note(text.encode(), lines)


def read_vkey(text, algorithm):
    """Name and public key of a C2SP verifier key: name+ID+base64(algorithm and key)."""
    name, key, encoded = text.split("+", 2)
    raw = from_base64(encoded, "a verifier key")
    require(len(raw) == 33 and raw[0] == algorithm, f"not a key of type {algorithm}: {text}")
    require(key == key_id(name, algorithm, raw[1:]).hex(), f"key ID of {name} is wrong")
    require(not is_small_order(raw[1:]), f"key of {name} is weak")
    return name, raw[1:]


# ---- protobuf, in its one encoding ----------------------------------------------------------


def _varint(raw, at):
    value = shift = 0
    while True:
        require(at < len(raw) and shift < 64, "a varint is cut short or too long")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            require(byte != 0 or shift == 7, "a varint longer than it must be")
            require(value < 2**64, "a varint above 64 bits")
            return value, at


def fields(raw):
    """(number, wire type, value) of each field; varints as int, the rest as bytes."""
    at, found = 0, []
    while at < len(raw):
        key, at = _varint(raw, at)
        number, kind = key >> 3, key & 7
        require(0 < number < 2**29, f"a field numbered {number}")
        if kind == 0:
            value, at = _varint(raw, at)
        elif kind == 2:
            length, at = _varint(raw, at)
            require(length <= len(raw) - at, "a field that is cut short")
            value, at = raw[at : at + length], at + length
        else:
            raise Bad(f"wire type {kind}, which no message of ours has")
        require(not found or found[-1][0] <= number, f"field {number} after {found[-1][0] if found else 0}")
        found.append((number, kind, value))
    return found


class Enum:
    """The type of a field that holds a number of a code list; many of them are packed."""


class Flag:
    """The type of a field that is true where it is there."""


SCALARS = {int: 0, str: "", bytes: b"", Enum: 0, Flag: 0}


def message(raw, schema):
    """A message by its schema {number: (name, type)}; type is int, str, bytes, Enum, Flag, a schema,
    or a list of one of these for a repeated field. Whatever is not the one encoding is refused."""
    result = {name: [] if isinstance(kind, list) else None for name, kind in schema.values()}
    for number, wire, value in fields(raw):
        require(number in schema, f"an unknown field {number}")
        name, kind = schema[number]
        many = isinstance(kind, list)
        kind = kind[0] if many else kind
        packed = many and kind is Enum
        require((wire == 0) == (kind in (int, Enum, Flag) and not many), f"field {name}: wire type {wire}")
        if packed:
            require(value and not result[name], f"field {name}: packed into none or into several")
            result[name] = unpack(value)
            continue
        if kind is str:
            value = value.decode("utf-8")
        elif isinstance(kind, dict):
            value = message(value, kind)
        if many:
            result[name].append(value)
            continue
        require(result[name] is None, f"field {name} comes twice")
        require(isinstance(kind, dict) or value, f"field {name} is written though it is empty")
        require(kind is not Flag or value == 1, f"field {name} is neither true nor false")
        result[name] = value
    for name, kind in schema.values():
        if result[name] is None and isinstance(kind, type):
            result[name] = SCALARS[kind]
    return result


def unpack(raw):
    values, at = [], 0
    while at < len(raw):
        value, at = _varint(raw, at)
        values.append(value)
    return values
