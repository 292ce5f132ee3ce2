"""FFmpeg's motion vectors, record by record and pixel by pixel, as libavutil/motion_vector.h describes them.

``dst`` is the centre of a block of w x h pixels of the current picture. The block was predicted from the block around
``src`` of a reference: src = dst + motion / motion_scale. ``source`` is negative where that reference is shown before
the current picture and positive where it is shown after. So what the block shows was at ``src`` in the past and came
to ``dst``; or it is at ``dst`` now and will be at ``src``.
"""

import numpy as np

CELL = 4


def slow_field(records, height, width, past, future):
    """Motion a frame (dx, dy) in pixels, [h, w, 2], and where it is known, [h, w]; ``past`` and ``future`` in frames.

    Each pixel of a block is told the block's motion, first those from the future and then, overruling them, those from
    the past. A cell of the grid is told what the pixel in its middle is told.
    """
    rows, columns = -(-height // CELL), -(-width // CELL)
    told = {}
    for from_future in (True, False):
        for record in records:
            w, h, scale = int(record["w"]), int(record["h"]), int(record["motion_scale"])
            frames = future if from_future else past
            if (record["source"] > 0) != from_future or frames == 0 or scale == 0:
                continue
            to_source = np.array([int(record["motion_x"]), int(record["motion_y"])]) / scale
            here, there = np.zeros(2), to_source
            motion = (there - here) / frames if from_future else (here - there) / frames
            left, top = int(record["dst_x"]) - w // 2, int(record["dst_y"]) - h // 2
            for y in range(max(top, 0), min(top + h, rows * CELL)):
                for x in range(max(left, 0), min(left + w, columns * CELL)):
                    told[y, x] = motion
    field, known = np.zeros((rows, columns, 2)), np.zeros((rows, columns), dtype=bool)
    for row in range(rows):
        for column in range(columns):
            middle = (row * CELL + CELL // 2, column * CELL + CELL // 2)
            if middle in told:
                field[row, column], known[row, column] = told[middle], True
    return field, known


def blocks_overlap(records):
    """Whether any two blocks of one direction share a pixel."""
    for side in (records[records["source"] > 0], records[records["source"] <= 0]):
        left, top = side["dst_x"] - side["w"] // 2.0, side["dst_y"] - side["h"] // 2.0
        corner = np.floor(np.stack([left, top], axis=1)).astype(int)
        covered = np.concatenate(
            [
                np.stack(np.meshgrid(np.arange(x, x + w), np.arange(y, y + h)), axis=-1).reshape(-1, 2)
                for (x, y), w, h in zip(corner, side["w"].tolist(), side["h"].tolist(), strict=True)
            ]
            or [np.zeros((0, 2), dtype=int)]
        )
        if len(np.unique(covered, axis=0)) < len(covered):
            return True
    return False
