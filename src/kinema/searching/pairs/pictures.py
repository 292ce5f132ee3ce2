"""Small pictures of pairs: kept in a table beside vectors, read from files where it keeps codes alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import DataError
from kinema.data.pairs.store import nearest
from kinema.data.pairs.table import stored_row
from kinema.data.pictures import read_picture
from kinema.data.video.hearing import frame_times
from kinema.data.video.pieces import Part, decode_parts

SHOWN = 160
"""Pixels of the longer side."""

Shown = tuple[str, float | None]
"""A picture's path, or a video's with the second of its frame."""


def thumbnails(root: Path, pictures: Sequence[Shown]) -> list[bytes]:
    """Pictures and frames made small, as JPEG files; empty of stored vectors, and where there is none.

    Args:
        root: the folder that their paths are below.
        pictures: their paths; frames of one video are decoded in one pass.

    Raises:
        DataError: one cannot be read.
    """
    found = [b""] * len(pictures)
    videos: dict[str, list[tuple[float, int]]] = {}
    for place, (path, at) in enumerate(pictures):
        if at is not None:
            videos.setdefault(path, []).append((at, place))
        elif path and stored_row(path) is None:
            found[place] = jpeg(read_picture(root / path))
    for path, wanted in videos.items():
        times = frame_times(root / path)
        if not times:
            raise DataError(f"'{root / path}' does not say when its frames are shown.")
        places: dict[int, list[int]] = {}
        for at, place in wanted:
            places.setdefault(nearest(times, at), []).append(place)
        parts = [Part(frozenset({number})) for number in sorted(places)]
        for part, pieces in zip(parts, decode_parts(root / path, parts, short_side=None), strict=True):
            (number,) = part.pixels
            if number not in pieces.pixels:
                raise DataError(f"'{root / path}' has no frame {number} that can be decoded, counted from 0.")
            for place in places[number]:
                found[place] = jpeg(pieces.pixels[number])
    return found


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture, uint8 [H, W, 3], made small, as a JPEG file."""
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((SHOWN, SHOWN))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()
