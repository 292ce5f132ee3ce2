"""A film that is made on the spot, for benchmarks that want a file."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def film(path: Path, frames: int, seed: int) -> None:
    """A texture that moves, 160 x 120, as H.264."""
    plane = np.random.default_rng(seed).integers(0, 256, (60, 400, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(frames):
            at = (2 * number) % 1400
            picture = np.ascontiguousarray(plane[40:160, at : at + 160])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
