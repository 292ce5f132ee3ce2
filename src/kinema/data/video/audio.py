"""The sound of a stretch of a video, on the video's own clock.

Time 0 is when the first frame is shown; in a file without video, when the sound begins. Samples of the result lie at
whole multiples of 1 / ``rate`` on that clock, whatever stretch is asked for, so that overlapping stretches agree
sample by sample. What of a stretch the audio does not cover is zero, and said to be invalid.

A stretch is reached by seeking to packets before it. It is cut by the positions of ``audio_table`` and
never by where the seek came down; codecs that remember earlier packets are given ``_WARM_UP`` of them. (The noise
that an AAC decoder makes up for a band, and the dither of an MP2 decoder, depend on all that came before: such a
stretch is aligned to the sample and holds other noise.)

Only the container can tell what an encoder put before the sound. MP4, Matroska, WebM and MP3 files do, unless whoever
made them forgot; AVI has no place for it, so MP3 in it lies later by the encoder's delay, some 25 ms, as in any player.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from kinema.core.errors import ConfigError, VideoError
from kinema.data.video.audio_table import AudioTable, audio_stream, audio_table, open_decoder
from kinema.data.video.reading import open_file, packets_of, reason_of

_WARM_UP = 32
"""Packets that are decoded before a stretch. The bit reservoir of MP3 reaches back 511 bytes, of 24 bytes a frame at
the least (ISO 13818-3), and Opus settles within 80 ms (RFC 6716, 4.6)."""
MOST_SAMPLES = 1 << 31
"""Samples that are decoded at once: twelve hours at 48 kHz, of 5 bytes each while they are found."""
_TAPS = 64
"""Half the width of the resampler's filter, generously, in samples of the slower rate."""


@dataclass(frozen=True)
class Audio:
    """The sound of a stretch.

    Args:
        samples: float32 [S] in [-1, 1], the mean of the channels; zero where it is not valid.
        valid: bool [S], where the audio covers the stretch.
        rate: samples a second.
        bad_packets: packets of the stretch that could not be decoded, or that the decoder marked as damaged.
        reason: the decoder's message for the first of these; empty where there were none.
    """

    samples: NDArray[np.float32]
    valid: NDArray[np.bool_]
    rate: int
    bad_packets: int = 0
    reason: str = ""

    def __len__(self) -> int:
        return len(self.samples)


def read_audio(
    path: str | Path, *, rate: int, start: float = 0.0, duration: float | None = None, seek: bool = True
) -> Audio:
    """The sound from ``start`` on, for ``duration`` seconds.

    Args:
        path: the file; of several audio streams its first is read.
        rate: samples a second of the result.
        start: seconds after the video's first frame, taken at the nearest sample; negative is before it.
        duration: seconds; None is to the end of the audio.
        seek: whether the stretch may be reached by seeking. False decodes everything before it.

    Returns:
        Exactly round(duration * rate) samples, and where they are valid.

    Raises:
        VideoError: the file cannot be opened, holds no audio, none of it can be decoded, or it is too long for memory.
        ConfigError: a rate or a time that cannot be.
    """
    if rate < 1 or not math.isfinite(start) or (duration is not None and not 0 <= duration < math.inf):
        raise ConfigError(
            f"No audio lies at start={start:g}, duration={duration} and rate={rate}.",
            "Give a rate of at least 1 and times in seconds, the duration not negative.",
        )
    path = Path(path)
    table = audio_table(path)
    first = round(start * rate)
    if duration is None:
        samples = max(0, math.ceil(Fraction(table.end() * rate, table.rate)) - first)
    else:
        samples = round(duration * rate)
    ratio = Fraction(table.rate, rate)
    # The resampler's first sample out lies at its first sample in: both grids meet every ``ratio.numerator`` samples.
    margin = 0 if ratio == 1 else _TAPS * max(1, math.ceil(ratio))
    begin = (math.floor(first * ratio) - margin) // ratio.numerator * ratio.numerator
    end = math.ceil((first + samples) * ratio) + margin
    if end - begin > MOST_SAMPLES:
        raise VideoError(
            f"'{path}': {samples / rate / 3600:,.0f} hours of sound were asked for at once, by its packets' times.",
            "Read it in stretches, with start and duration; its times may be damaged.",
        )
    stretch = _Stretch(begin, end)
    needed = table.needed(begin, end)
    if samples and not (seek and stretch.fill(path, table, needed, seek=True)):
        stretch = _Stretch(begin, end)
        stretch.fill(path, table, needed, seek=False)
    out, valid = stretch.sound, stretch.valid
    if ratio != 1:
        lead = first - int(begin / ratio)
        out = _resampled(stretch.sound, table.rate, rate)[lead : lead + samples]
        nearest = np.rint(np.arange(first, first + samples) * float(ratio)).astype(np.int64) - begin
        valid = stretch.valid[nearest]
    sound = np.where(valid, np.clip(out, -1, 1), 0).astype(np.float32)
    return Audio(sound, valid, rate, stretch.bad, stretch.reason)


@dataclass
class _Stretch:
    """Samples ``begin`` to ``end`` of the audio at its own rate, as they are found."""

    begin: int
    end: int
    bad: int = 0
    reason: str = ""
    sound: NDArray[np.float32] = field(init=False)
    valid: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.sound = np.zeros(self.end - self.begin, dtype=np.float32)
        self.valid = np.zeros(self.end - self.begin, dtype=np.bool_)

    def fill(self, path: Path, table: AudioTable, needed: tuple[int, int], seek: bool) -> bool:
        """Decodes the needed packets; False where seeking did not come down on packets that are known."""
        first, stop = needed
        warm = max(0, first - _WARM_UP) if seek else 0
        with open_file(path) as container:
            stream = audio_stream(container, path)
            open_decoder(stream, path)
            if warm and not _sought(container, stream, table.pts[max(0, warm - _WARM_UP)]):
                return False
            following = None if warm else 0
            for packet in self._packets(container, stream):
                known = table.number_of(packet) if warm else following
                if following is None:
                    if known is None:
                        continue
                    if known > warm:
                        return False
                    following = known
                elif known is not None and known != following:
                    return False
                if following >= stop:
                    break
                if following >= warm:
                    self._decode(stream, packet, table, following, following >= first)
                following += 1
        return following is not None

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            yield from (packet for packet in packets_of(container, stream) if packet.size)
        except av.FFmpegError as error:
            self._note(reason_of(error))

    def _decode(self, stream: Any, packet: Any, table: AudioTable, number: int, counts: bool) -> None:
        parts = []
        try:
            frames = stream.decode(packet)
            for frame in frames if counts else ():
                if frame.is_corrupt:
                    self._note("the decoder marked frames as damaged")
                if frame.sample_rate == table.rate:
                    parts.append(channels(frame).mean(axis=0).astype(np.float32))
                else:
                    self._note(f"its rate changes from {table.rate} to {frame.sample_rate}")
        except (av.FFmpegError, ValueError, MemoryError) as error:
            # What is decoded to warm up may lack what came before it; that is no damage.
            if counts:
                self._note(reason_of(error))
        if parts:
            trim = int(table.head[number]), int(table.tail[number])
            self._write(np.concatenate(parts), int(table.start[number]), *trim)

    def _note(self, reason: str) -> None:
        self.bad += 1
        self.reason = self.reason or reason

    def _write(self, sound: NDArray[np.float32], at: int, head: int, tail: int) -> None:
        """Writes what a packet decodes to, its first sample at ``at``, without what is to be trimmed."""
        low = max(at + head, self.begin)
        high = min(at + len(sound) - tail, self.end)
        if low < high:
            self.sound[low - self.begin : high - self.begin] = sound[low - at : high - at]
            self.valid[low - self.begin : high - self.begin] = True


def _sought(container: Any, stream: Any, pts: int | None) -> bool:
    if pts is None:
        return False
    try:
        container.seek(pts, backward=True, stream=stream)
    except av.FFmpegError:
        return False
    return True


def channels(frame: Any) -> NDArray[np.float64]:
    """A frame's samples [C, S], full scale being 1; what is not a number counts as 0.

    Raises:
        ValueError: its format is none that numpy has.
    """
    values: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    scaled = values.astype(np.float64)
    if values.dtype == np.uint8:
        return (scaled - 128) / 128
    if values.dtype.kind == "i":
        return scaled / -float(np.iinfo(values.dtype).min)
    return np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=-1.0)


def _resampled(sound: NDArray[np.float32], rate: int, to: int) -> NDArray[np.float32]:
    frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=to)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    out: NDArray[np.float32] = np.concatenate([part.to_ndarray()[0] for part in parts])
    return out
