"""Binary codes: vectors to packed bits, and the Hamming distance between them.

A bit is 1 where a value is above 0 and 0 elsewhere, so that a value of exactly 0 has one code on every machine and
codes never have a third value. Bits are packed eight to a byte, the first in the highest place (``numpy.packbits``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ShapeError

Codes = NDArray[np.uint8]
"""Packed codes, uint8 [N, bits / 8]."""


def pack(values: NDArray[np.floating] | NDArray[np.bool_]) -> Codes:
    """The codes of vectors, uint8 [N, bits / 8]: a bit is 1 where a value is above 0.

    Args:
        values: float [N, bits], or bool; bits are a multiple of 8.

    Raises:
        ShapeError: they are of another shape, or hold what is no number.
    """
    if values.ndim != 2 or not values.shape[1] or values.shape[1] % 8:
        raise ShapeError(f"Values are {tuple(values.shape)}; codes are made of [N, bits], bits being a multiple of 8.")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ShapeError("Some values are no numbers (NaN), which have no code.")
    return np.packbits(values > 0, axis=1)


def unpack(codes: Codes) -> NDArray[np.bool_]:
    """The bits of packed codes, bool [N, bits].

    Args:
        codes: uint8 [N, bytes].
    """
    return np.unpackbits(codes, axis=1).astype(np.bool_)


def hamming(a: Codes, b: Codes) -> NDArray[np.int32]:
    """In how many bits codes differ, int32 [N, M].

    Args:
        a: uint8 [N, bytes].
        b: uint8 [M, bytes].

    Raises:
        ShapeError: they are not of one width, or not uint8.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ShapeError(
            f"Codes are {a.dtype} {tuple(a.shape)} and {b.dtype} {tuple(b.shape)}; expected uint8 [N, bytes] of one "
            "width."
        )
    left, right = as_words(a), as_words(b)
    found = np.zeros((len(a), len(b)), np.int32)
    for column in range(left.shape[1]):
        found += np.bitwise_count(left[:, None, column] ^ right[None, :, column])
    return found


def as_words(codes: Codes) -> NDArray[np.unsignedinteger]:
    """The bytes as the widest words that they fill, [N, words]."""
    width = next(size for size in (8, 4, 2, 1) if codes.shape[1] % size == 0)
    return np.ascontiguousarray(codes).view(np.dtype(f"u{width}"))
