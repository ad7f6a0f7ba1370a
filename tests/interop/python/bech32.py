"""Bech32 (BIP 173) without its limit of 90 characters, as C2SP age uses it for hybrid keys."""

from wire import require

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def _checksum(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, constant in enumerate(GENERATOR):
            check ^= constant if top >> bit & 1 else 0
    return check


def read_age_key(text):
    """The 1,216 bytes of a public key `age1pq1…`: ML-KEM-768, then X25519."""
    prefix, _, data = text.rpartition("1")
    require(prefix == "age1pq" and set(data) <= set(ALPHABET), "not a hybrid age key")
    values = [ALPHABET.index(c) for c in data]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    require(_checksum(expanded + values) == 1, "an age key with a wrong checksum")
    bits = size = 0
    raw = bytearray()
    for value in values[:-6]:
        bits, size = bits << 5 | value, size + 5
        if size >= 8:
            size -= 8
            raw.append(bits >> size)
            bits &= (1 << size) - 1
    require(size < 5 and bits == 0 and len(raw) == 1216, "an age key of the wrong length")
    return bytes(raw)
