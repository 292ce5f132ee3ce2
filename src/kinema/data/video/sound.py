"""The scan's facts about a file's sound: how long it is, and whether it is silent.

The packets are read once, for their times. They are decoded until the sound is not silent, so a file with sound costs
next to nothing; of a long file only pieces are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from kinema.core.errors import VideoError
from kinema.data.video.audio import channels
from kinema.data.video.audio_table import audio_stream, open_decoder, trims
from kinema.data.video.reading import open_file, packets_of
from kinema.data.workers import Job

SILENCE = 10 ** (-60 / 20)
"""Sound whose peak stays below this part of full scale, -60 dBFS, is silent: digital silence, or a recorder's noise."""
PIECE_SECONDS = 2.0


def sound_facts(path: Path, duration: float, whole_seconds: float, pieces: int) -> Job:
    """The fields of a :class:`kinema.data.video.manifest.Video` that its audio decides.

    Args:
        path: a file with an audio stream.
        duration: seconds of the video, 0 where they are not known.
        whole_seconds: up to this long a file is decoded as a whole.
        pieces: of a longer one, pieces of ``PIECE_SECONDS`` evenly along it.
    """
    extent = _Extent()
    peak: float | None = None
    try:
        with open_file(path) as container:
            stream = audio_stream(container, path)
            open_decoder(stream, path)
            tick, rate = float(stream.time_base), stream.rate or 1
            for packet in packets_of(container, stream):
                if not packet.size:
                    continue
                place = extent.take(packet, tick, rate)
                _, within = divmod(place, max(duration, whole_seconds) / pieces)
                if (duration <= whole_seconds or within < PIECE_SECONDS) and (peak is None or peak < SILENCE):
                    found = _peak(stream, packet)
                    peak = peak if found is None else max(peak or 0.0, found)
    except (av.FFmpegError, VideoError):
        pass
    return {"audio_duration": extent.seconds(), "audio_silent": None if peak is None else peak < SILENCE}


@dataclass
class _Extent:
    """When the sound begins and ends, by the packets' times and what the container says is to be trimmed."""

    first: float | None = None
    last: float = 0.0
    primed: float | None = None
    usual: float = 0.0

    def take(self, packet: Any, tick: float, rate: int) -> float:
        """Adds a packet; how many seconds after the beginning it sounds."""
        begin = self.last if packet.pts is None else packet.pts * tick
        length = (packet.duration or 0) * tick
        self.usual = max(self.usual, length)
        skip, drop = trims(packet)
        if skip:
            self.primed = begin + skip / rate
        # Matroska shortens the last packet by its padding, MP3 files do not.
        end = begin + (min(length, self.usual - drop / rate) if drop else length)
        begin = begin if self.primed is None else max(begin, self.primed)
        if not packet.is_discard:
            self.first = begin if self.first is None else min(self.first, begin)
            self.last = max(self.last, end) if self.first < begin else end
        return begin - (begin if self.first is None else self.first)

    def seconds(self) -> float:
        """How long it is."""
        return 0.0 if self.first is None else max(self.last - self.first, 0.0)


def _peak(stream: Any, packet: Any) -> float | None:
    try:
        # By channel: two that cancel out are not silent.
        peaks = [float(np.abs(channels(frame)).max(initial=0.0)) for frame in stream.decode(packet)]
    except (av.FFmpegError, ValueError, MemoryError):
        return None
    return max(peaks, default=None)
