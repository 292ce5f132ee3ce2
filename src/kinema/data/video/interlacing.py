"""Interlaced frames: two moments in one picture, a field of every other line for each.

A frame becomes one of its fields, the upper one, scaled to the frame's height. Filters that look at the frames before
and after (yadif, bwdif) keep more detail of what stands still; but then the same frame would differ with where reading
began, and a clip with how it was read.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.filter import Graph
from av.video.format import VideoFormat


class Deinterlacer:
    """Gives the upper field of frames."""

    def __init__(self) -> None:
        self._made: tuple[int, int, str] | None = None
        self._graph: Any = None

    def field(self, frame: Any) -> Any:
        """The upper field of a frame, of half its height.

        Args:
            frame: of a decoder.
        """
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._made:
            self._graph = _graph(*kind)
            self._made = kind
        self._graph.push(frame)
        return self._graph.pull()


def _graph(width: int, height: int, kind: str) -> Any:
    graph = Graph()
    format = VideoFormat(kind)
    source = graph.add_buffer(width=width, height=height, format=format, time_base=Fraction(1, 1000))
    field, sink = graph.add("field", "type=top"), graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    return graph


def has_fields(codec: str, frame: Any) -> bool:
    """Whether a frame holds two fields. Of HEVC each field is a frame of its own.

    Args:
        codec: as FFmpeg names it.
        frame: of its decoder.
    """
    return bool(frame.interlaced_frame) and codec != "hevc"


def vectors_fit(codec: str, frame: Any) -> bool:
    """Whether the motion vectors of a frame are of the frame, and not of one of its fields.

    In interlaced H.264 each pair of blocks is coded as frames or as fields, and FFmpeg (release 8) does not say which:
    the vectors of fields come out half as high, and between the fields of one frame half as long. Those of MPEG-2 and
    MPEG-4 it scales.

    Args:
        codec: as FFmpeg names it.
        frame: of its decoder.
    """
    return codec != "h264" or not frame.interlaced_frame
