"""RFC 6962 section 2.1: roots, inclusion, consistency."""

from wire import sha256, require

EMPTY = sha256(b"")


def leaf(entry):
    return sha256(b"\0", entry)


def node(left, right):
    return sha256(b"\1", left, right)


class Tree:
    """The roots of full subtrees, by level and place, so that a root of any size is quick."""

    def __init__(self, leaves):
        self.levels = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([node(a, b) for a, b in zip(below[::2], below[1::2])])

    def size(self):
        return len(self.levels[0])

    def root(self, size):
        if size == 0:
            return EMPTY
        result, end = None, size
        for level, hashes in enumerate(self.levels):
            if end & 1:
                part = hashes[end - 1]
                result = part if result is None else node(part, result)
            end >>= 1
        return result


def root_from_inclusion(index, size, leaf_hash, path):
    """RFC 9162 section 2.1.3.2, the verifier's form of RFC 6962's inclusion proof."""
    require(index < size, f"index {index} of a tree of {size}")
    place, last, result = index, size - 1, leaf_hash
    for sibling in path:
        require(last > 0, "an inclusion proof that is too long")
        if place & 1 or place == last:
            result = node(sibling, result)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node(result, sibling)
        place, last = place >> 1, last >> 1
    require(last == 0, "an inclusion proof that is too short")
    return result
