"""FFmpeg's motion vectors, record by record and pixel by pixel, as libavutil/motion_vector.h describes them.

``dst`` is the centre of a block of w x h pixels of the current picture. The block was predicted from the block around
``src`` of a reference: src = dst + motion / motion_scale. ``source`` is negative where that reference is shown before
the current picture and positive where it is shown after. So what the block shows was at ``src`` in the past and came
to ``dst``; or it is at ``dst`` now and will be at ``src``.
"""

import numpy as np

CELL = 4


def block_of(record):
    """The pixels of a record's block, as slices of rows and of columns; a part outside above or left is cut off."""
    w, h = int(record["w"]), int(record["h"])
    left, top = int(record["dst_x"]) - w // 2, int(record["dst_y"]) - h // 2
    return slice(max(top, 0), max(top + h, 0)), slice(max(left, 0), max(left + w, 0))


def slow_field(records, height, width, past, future):
    """Motion a frame (dx, dy) in pixels, [h, w, 2], and where it is known, [h, w]; ``past`` and ``future`` in frames.

    Each pixel of a block is told the block's motion, first those from the future and then, overruling them, those from
    the past. A cell of the grid is told what the pixel in its middle is told.
    """
    rows, columns = -(-height // CELL), -(-width // CELL)
    told = np.full((rows * CELL, columns * CELL, 2), np.nan)
    for from_future in (True, False):
        frames = future if from_future else past
        for record in records:
            scale = int(record["motion_scale"])
            if (record["source"] > 0) != from_future or frames == 0 or scale == 0:
                continue
            here = np.zeros(2)
            there = np.array([int(record["motion_x"]), int(record["motion_y"])]) / scale
            told[block_of(record)] = (there - here) / frames if from_future else (here - there) / frames
    middles = told[CELL // 2 :: CELL, CELL // 2 :: CELL]
    return np.nan_to_num(middles), ~np.isnan(middles[..., 0])


def blocks_overlap(records, height, width):
    """Whether any two blocks of one direction share a pixel of the picture."""
    for side in (records[records["source"] > 0], records[records["source"] <= 0]):
        covered = np.zeros((height, width), dtype=int)
        for record in side:
            covered[block_of(record)] += 1
        if covered.max() > 1:
            return True
    return False
