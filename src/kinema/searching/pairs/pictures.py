"""Small pictures of pairs: kept in a table beside vectors, and read from their files where a table keeps codes alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.data.pairs.table import Pair, stored_row

SHOWN = 160
"""Pixels of the longer side."""


def thumbnail_of(root: Path, row: Pair) -> bytes:
    """A pair's picture, made small, as a JPEG file; empty where it has none but a stored vector.

    Args:
        root: the folder that its path is below.
        row: the pair.

    Raises:
        DataError: it cannot be read.
    """
    if not row.image or stored_row(row.image) is not None:
        return b""
    return jpeg(picture_of(root, row))


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 [H, W, 3], at most ``SHOWN`` pixels wide and high, as a JPEG file."""
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((SHOWN, SHOWN))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()
