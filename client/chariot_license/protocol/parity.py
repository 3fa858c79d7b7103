"""Parity lines: any two lines of a block can be worked out from the others.

Reed-Solomon over GF(256) with the polynomial 0x11d, generator 2 and first root 2^0, the field of QR codes;
`reedsolo` owns the field. One codeword runs down each byte column. For lines 1..n, the
parity lines included, this says, with + as XOR and x = 2^(n - i) for line i:

    sum of line[i] = 0    and    sum of x[i] * line[i] = 0

Two equations give back two unknown lines, wherever they are; the parity lines are the unknown ones at the end.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import reedsolo

# One codec for the process: its constructor fills tables shared by the whole library.
_CODEC = reedsolo.RSCodec(2)
_ORDER = 255


def parity_lines(lines: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two parity lines of 1 to 253 `lines` of equal length."""
    empty = bytes(len(lines[0]))
    return Syndromes([*lines, empty, empty]).two(len(lines) + 1, len(lines) + 2)


class Syndromes:
    """What the lines of one block, with zero bytes for those not known, say about lines that are wrong."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._count = len(lines)
        self._plain = _xor_all(lines)
        self._weighted = _xor_all([_times(self._weight(number), line) for number, line in enumerate(lines, start=1)])

    def one(self, number: int) -> bytes | None:
        """Return what to XOR to line `number` if that alone makes all lines fit, else None."""
        if _times(self._weight(number), self._plain) != self._weighted:
            return None
        return self._plain

    def two(self, first: int, second: int) -> tuple[bytes, bytes]:
        """Return what to XOR to the lines `first` and `second` to make all lines fit: there is always one way."""
        scale = _inverse(self._weight(first) ^ self._weight(second))
        other = _times(scale, xor(self._weighted, _times(self._weight(first), self._plain)))
        return xor(self._plain, other), other

    def _weight(self, number: int) -> int:
        return int(_CODEC.gf_exp[(self._count - number) % _ORDER])


def xor(one: bytes, other: bytes) -> bytes:
    """Return the XOR of two strings of equal length."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _xor_all(lines: Iterable[bytes]) -> bytes:
    total = 0
    length = 0
    for line in lines:
        total ^= int.from_bytes(line, "big")
        length = len(line)
    return total.to_bytes(length, "big")


def _times(factor: int, line: bytes) -> bytes:
    return line.translate(_products(factor))


@cache
def _products(factor: int) -> bytes:
    return bytes(_multiply(factor, value) for value in range(256))


def _multiply(one: int, other: int) -> int:
    if one == 0 or other == 0:
        return 0
    return int(_CODEC.gf_exp[(_CODEC.gf_log[one] + _CODEC.gf_log[other]) % _ORDER])


def _inverse(value: int) -> int:
    return int(_CODEC.gf_exp[(_ORDER - _CODEC.gf_log[value]) % _ORDER])
