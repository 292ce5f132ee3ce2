"""Writes frames to an H.264 file, each at its own time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray

DRAWN = "drawn by kinema motion"
"""What a film says of itself, so that a scan that meets it among a folder's videos knows it."""


@contextmanager
def open_mp4(file: IO[bytes]) -> Iterator[Any]:
    """A container on an open file, to hand to :class:`Film`.

    Raises:
        OSError: the file could not be written: a full disk. The library's own error would hide the reason, since to
            close what could not be written fails too.
    """
    try:
        with av.open(file, "w", format="mp4") as container:
            container.metadata["comment"] = DRAWN
            yield container
    except av.FFmpegError as error:
        reason = error.__context__
        raise (reason if isinstance(reason, OSError) else OSError(error.errno, error.strerror)) from error


class Film:
    """The one video stream of a container.

    Args:
        container: an open one, of :func:`open_mp4`.
        rate: frames a second.
        base: the unit of time in which the frames' times are whole, in seconds.
    """

    def __init__(self, container: Any, rate: Fraction, base: Fraction) -> None:
        self._container = container
        self._rate, self._base = Fraction(rate), Fraction(base)
        self._stream: Any = None
        self._first = math.nan
        self._last = -1

    def add(self, picture: NDArray[np.uint8], time: float = math.nan) -> None:
        """Adds a frame.

        Args:
            picture: uint8 [H, W, 3], RGB; all of one size. A last odd row or column is repeated, since H.264 halves
                the colours' sizes.
            time: when it is shown, in seconds; NaN where that is unknown: a frame's time after the one before.
        """
        height, width = picture.shape[:2]
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._begin(picture)
        step = max(1, round(1 / (self._rate * self._base)))
        if math.isnan(self._first):
            self._first = time
        place = self._last + step if math.isnan(time) else round(Fraction(time - self._first) / self._base)
        self._last = max(place, self._last + 1) if self._last >= 0 else 0
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base, frame.duration = self._last, self._base, step
        self._container.mux(self._stream.encode(frame))

    def _begin(self, picture: NDArray[np.uint8]) -> None:
        options = {"crf": "18", "preset": "veryfast"}
        self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
        self._stream.height, self._stream.width = picture.shape[:2]
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self._base

    def close(self) -> None:
        """Writes what the encoder still holds."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
