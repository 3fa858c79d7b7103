"""What CBOR this protocol accepts, checked on the bytes themselves before a decoder sees them.

`cbor2` forgives what a signed format must not: the last of two equal keys wins, longer forms of a number and
bytes after the end pass, tags build dates and shared references. RFC 8949 4.2.1 (core deterministic
encoding) restricted to integers, byte and text strings, arrays, maps, true, false and null.
"""

from typing import Any

import cbor2

MAX_DEPTH = 6
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)


class CborProblem(Exception):
    """`reason` is the end of an error code: "truncated", "trailing-bytes", "malformed", ..."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset


def dumps(value: object) -> bytes:
    """Encode deterministically. Keys must stay within what docs/protocol.md, "CBOR", allows (Design 9.12)."""
    return cbor2.dumps(value, canonical=True)


def loads(data: bytes, tag: int | None = None) -> Any:
    """Decode exactly one item, which must be in deterministic encoding; `tag`: the tag it must carry, if any.

    Raises CborProblem: "truncated", "trailing-bytes", "malformed", "duplicate-key", "not-deterministic",
    "wrong-tag".
    """
    start = 0
    if tag is not None:
        start = _tag(data, tag)
    end = _Scan(data).item(start, 0)
    if end != len(data):
        raise CborProblem("trailing-bytes", end)
    try:
        value = cbor2.loads(data[start:])
        again = dumps(value)
    except Exception as error:
        # After the scan nothing is known that gets here; whatever does is the sender's fault, not a crash.
        raise CborProblem("malformed", start) from error
    if again != data[start:]:
        raise CborProblem("not-deterministic", start)
    return value


def _tag(data: bytes, wanted: int) -> int:
    scan = _Scan(data)
    major, number, after = scan.head(0)
    if major != _TAG or number != wanted:
        raise CborProblem("wrong-tag", 0)
    return after


class _Scan:
    """Walks the items of `data`. Every method takes an offset and returns the one after what it read."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def head(self, at: int) -> tuple[int, int, int]:
        """Return (major type, argument, offset after the head)."""
        if at >= len(self.data):
            raise CborProblem("truncated", at)
        major, short = self.data[at] >> 5, self.data[at] & 31
        if short < 24:
            return major, short, at + 1
        if short > 27:
            # 31 is an indefinite length, which is well-formed CBOR but never deterministic.
            indefinite = short == 31 and major in (_BYTES, _TEXT, _ARRAY, _MAP)
            raise CborProblem("not-deterministic" if indefinite else "malformed", at)
        size = 1 << (short - 24)
        end = at + 1 + size
        if end > len(self.data):
            raise CborProblem("truncated", at)
        number = int.from_bytes(self.data[at + 1 : end], "big")
        if major != _SIMPLE and number < (24, 1 << 8, 1 << 16, 1 << 32)[short - 24]:
            raise CborProblem("not-deterministic", at)
        return major, number, end

    def item(self, at: int, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise CborProblem("malformed", at)
        major, number, after = self.head(at)
        if major in (_UNSIGNED, _NEGATIVE):
            return after
        if major in (_BYTES, _TEXT):
            return self._string(major, after, number)
        if major == _ARRAY:
            for _ in range(number):
                after = self.item(after, depth + 1)
            return after
        if major == _MAP:
            return self._pairs(after, number, depth)
        # false, true, null; no floats, no other simple values, no tags inside.
        if major == _SIMPLE and number in (20, 21, 22) and after == at + 1:
            return after
        raise CborProblem("malformed", at)

    def _string(self, major: int, at: int, length: int) -> int:
        end = at + length
        if end > len(self.data):
            raise CborProblem("truncated", at)
        if major == _TEXT:
            try:
                self.data[at:end].decode("utf-8")
            except UnicodeDecodeError as error:
                raise CborProblem("malformed", at) from error
        return end

    def _pairs(self, at: int, count: int, depth: int) -> int:
        previous = b""
        seen: set[bytes] = set()
        unsorted_at: int | None = None
        for _ in range(count):
            key_end = self.item(at, depth + 1)
            key = self.data[at:key_end]
            if key in seen:
                raise CborProblem("duplicate-key", at)
            if key < previous and unsorted_at is None:
                unsorted_at = at
            seen.add(key)
            previous = key
            at = self.item(key_end, depth + 1)
        if unsorted_at is not None:
            raise CborProblem("not-deterministic", unsorted_at)
        return at
