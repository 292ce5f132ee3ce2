"""Boxes: the part of a picture that shows a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinema.data.tracklets.table import Box


def cut(picture: NDArray[np.uint8], box: Box | None) -> NDArray[np.uint8]:
    """The part of a picture that a box marks, of one pixel at least; all of it without a box.

    Args:
        picture: uint8 [H, W, 3].
        box: left, top, width and height in pixels, some of it within the picture.
    """
    if box is None:
        return picture
    height, width = picture.shape[:2]
    left, top = min(max(0, round(box[0])), width - 1), min(max(0, round(box[1])), height - 1)
    right = min(max(left + 1, round(box[0] + box[2])), width)
    bottom = min(max(top + 1, round(box[1] + box[3])), height)
    return picture[top:bottom, left:right]


def within(box: Box, height: int, width: int) -> Box | None:
    """A box cut to its picture; None where nothing of it, not half a pixel, lies within.

    Args:
        box: left, top, width and height in pixels.
        height: of the picture.
        width: likewise.
    """
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(width), box[0] + box[2]), min(float(height), box[1] + box[3])
    if right - left < 0.5 or bottom - top < 0.5:
        return None
    return left, top, right - left, bottom - top
