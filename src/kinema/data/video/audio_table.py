"""The times of a file's sound, sample by sample, without decoding it.

The times of packets are as coarse as the container's clock (a millisecond in Matroska and WebM, some forty samples), so
positions are counted: a packet begins where the one before it ends, as long as its own time agrees within ``SLACK`` or
two ticks of the clock. Where it does not, there is a gap or an overlap, and counting starts anew from the packet's
time. A packet has therefore one position, whoever asks and wherever reading began.

What a packet decodes to is known for the codecs of ``_FIXED`` (a constant), for PCM (by its bytes) and for Opus (by its
duration, where the clock can tell it); for the others all packets are decoded once and counted.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags2
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.video.limits import too_fast
from kinema.data.video.reading import open_file, packet_table, packets_of, reason_of, video_stream

SLACK = 0.01
"""Seconds by which a packet's time may differ from the end of the packet before it without being a gap."""

_FIXED = frozenset({"aac", "ac3", "amr_nb", "amr_wb", "mp1", "mp2", "mp3"})
_OPUS_UNIT = 120
"""Samples at 48 kHz in 2.5 ms, of which every Opus packet is a multiple (RFC 6716, 2.1.4)."""
_SIZING = 3
"""Packets that are decoded to learn the size of a frame; the first ones may be decoded before their codec is known."""


@dataclass(frozen=True)
class AudioTable:
    """The packets of an audio stream in the order of the file.

    Args:
        rate: samples a second, as decoded.
        start: int64 [P], where each packet's first sample lies on the clock of the video, in samples.
        count: int64 [P], samples that it decodes to.
        head: int64 [P], how many of them come before the sound begins: encoder priming, edit lists.
        tail: int64 [P], how many of them come after it ends: padding.
        keys: (byte of the file, bytes) of each, by which it is recognised after seeking.
        pts: when each sounds, in units of the stream.
    """

    rate: int
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    head: NDArray[np.int64]
    tail: NDArray[np.int64]
    keys: tuple[tuple[int | None, int], ...]
    pts: tuple[int | None, ...]

    @cached_property
    def _numbers(self) -> dict[tuple[int | None, int], int]:
        times = Counter(key for key in self.keys if key[0] is not None)
        return {key: number for number, key in enumerate(self.keys) if times[key] == 1}

    def number_of(self, packet: Any) -> int | None:
        """The index of a packet that was read after seeking; None where it cannot be determined.

        Times will not do: after seeking they may be guesses, and a first packet may be the end of one cut in two.
        """
        return self._numbers.get((packet.pos, packet.size))

    def needed(self, begin: int, end: int) -> tuple[int, int]:
        """The first packet, and the one after the last, whose sound lies in samples ``begin`` to ``end``."""
        inside = np.flatnonzero((self.start + self.count > begin) & (self.start < end))
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)

    def end(self) -> int:
        """The sample of the clock after the last that sounds."""
        return int((self.start + self.count - self.tail).max())


@dataclass
class _Packet:
    pts: int | None
    duration: int
    size: int
    place: int | None
    skip: int
    drop: int
    hidden: bool
    samples: int | None


def open_decoder(stream: Any, path: Path) -> None:
    """Makes a stream's decoder leave what it would trim, since trimming by position is ours.

    Raises:
        VideoError: there is no decoder for it, or it claims more than
            :data:`kinema.data.video.limits.HIGHEST_RATE` samples a second.
    """
    if stream.codec_context is None:
        raise VideoError(f"'{path}': its audio is of a codec that cannot be decoded.")
    _check_rate(stream.rate or 0, path)
    stream.codec_context.flags2 |= Flags2.skip_manual


def _check_rate(rate: int, path: Path) -> None:
    if reason := too_fast(rate):
        raise VideoError(f"'{path}': {reason}.", "Its header is damaged, or no sound: write the file anew with ffmpeg.")


def audio_stream(container: Any, path: Path) -> Any:
    """The first audio stream.

    Raises:
        VideoError: there is none.
    """
    stream = next(iter(container.streams.audio), None)
    if stream is None:
        raise VideoError(
            f"'{path}' holds no audio stream.", "Choose videos whose `audio_codec` in the manifest is set."
        )
    return stream


def trims(packet: Any) -> tuple[int, int]:
    """Samples to leave out at a packet's beginning and at its end, as the container says."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    trim = bytes(packet.get_sidedata("skip_samples"))
    return int.from_bytes(trim[:4], "little"), int.from_bytes(trim[4:8], "little")


def audio_table(path: Path) -> AudioTable:
    """The packets of a file's first audio stream.

    Raises:
        VideoError: the file cannot be opened, holds no audio, or none of it can be decoded.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise VideoError(f"'{path}' could not be opened: {reason_of(error)}.") from error
    return _audio_table(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _audio_table(path: Path, _size: int, _mtime: int) -> AudioTable:
    with open_file(path) as container:
        stream = audio_stream(container, path)
        open_decoder(stream, path)
        sizer = _Sizer(stream)
        packets = list(_packets(container, stream, sizer))
        if sizer.samples is None:
            raise VideoError(f"'{path}': none of its audio can be decoded: {sizer.reason or 'the stream is empty'}.")
        _check_rate(sizer.rate, path)
        tick = Fraction(stream.time_base) * sizer.rate
        first_frame = _first_frame(container, path)
    table = _placed(packets, sizer.counts(packets, tick), tick, sizer.rate)
    audible = table.start + table.head
    zero = int(audible[table.head < table.count].min(initial=audible.max()))
    if first_frame is not None:
        zero = round(first_frame * sizer.rate)
    return replace(table, start=table.start - zero)


def _first_frame(container: Any, path: Path) -> Fraction | None:
    """The time, in seconds, of the first frame that is shown; None without video."""
    stream = video_stream(container)
    if stream is None or stream.codec_context is None:
        return None
    table = packet_table(path)
    shown = table.shown() if table is not None else []
    return (shown[0] if shown else stream.start_time or 0) * Fraction(stream.time_base)


class _Sizer:
    """Learns from a few packets, or from all, how many samples one decodes to."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._codec = stream.codec_context.codec.canonical_name
        self.samples: int | None = None
        self.bytes = 0
        self.rate = 0
        self.reason = ""
        self._left = _SIZING

    def measure(self, packet: Any) -> int | None:
        """Samples in a packet; None once that is known of all packets."""
        if self._left <= 0:
            return None
        try:
            frames = self._stream.decode(packet)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            self.reason = self.reason or reason_of(error)
            return 0
        samples: int = sum(frame.samples for frame in frames)
        if samples:
            self.rate, self.samples, self.bytes = frames[-1].sample_rate, samples, packet.size
            self._left -= self._is_regular(packet)
        return samples

    def _is_regular(self, packet: Any) -> bool:
        if self._codec == "opus":
            return self._opus(packet.duration or 0, Fraction(packet.time_base) * self.rate) is not None
        return self._codec in _FIXED or self._codec.startswith("pcm_")

    @staticmethod
    def _opus(duration: int, tick: Fraction) -> int | None:
        samples = duration * tick
        return int(samples) if duration > 0 and samples % _OPUS_UNIT == 0 else None

    def counts(self, packets: list[_Packet], tick: Fraction) -> list[int]:
        """Samples of every packet."""
        assert self.samples is not None
        found = []
        for packet in packets:
            if self._codec in _FIXED:
                found.append(self.samples)
            elif packet.samples is not None:
                found.append(packet.samples)
            elif self._codec == "opus":
                # The container may give a last packet's duration without its padding.
                found.append(self._opus(packet.duration, tick) or self.samples)
            else:
                found.append(packet.size * self.samples // self.bytes)
        return found


def _packets(container: Any, stream: Any, sizer: _Sizer) -> Iterator[_Packet]:
    try:
        for packet in packets_of(container, stream):
            if packet.size:
                skip, drop = trims(packet)
                samples = sizer.measure(packet)
                yield _Packet(
                    packet.pts, packet.duration or 0, packet.size, packet.pos, skip, drop, packet.is_discard, samples
                )
    except av.FFmpegError:
        return


def _placed(packets: list[_Packet], counts: list[int], tick: Fraction, rate: int) -> AudioTable:
    slack = max(2 * tick, Fraction(rate) * Fraction(SLACK))
    start, head, tail = [], [], []
    following, to_skip = None, 0
    for packet, count in zip(packets, counts, strict=True):
        at = following
        if packet.pts is not None and (at is None or abs(packet.pts * tick - at) > slack):
            # The start of the sound is known in ticks, so the priming before it is counted backwards from there.
            begins = packet.pts + math.floor(packet.skip / tick + Fraction(1, 2))
            at = round(begins * tick) - packet.skip
        at = at or 0
        to_skip += packet.skip
        head.append(count if packet.hidden else min(to_skip, count))
        to_skip -= min(to_skip, count)
        tail.append(min(packet.drop, count - head[-1]))
        start.append(at)
        following = at + count
    if packets and tick <= 1 and packets[-1].duration > 0:
        # MP4 gives the last packet's padding by its duration alone.
        tail[-1] = max(tail[-1], min(counts[-1] - head[-1], counts[-1] - round(packets[-1].duration * tick)))
    return AudioTable(
        rate=rate,
        start=np.asarray(start, dtype=np.int64),
        count=np.asarray(counts, dtype=np.int64),
        head=np.asarray(head, dtype=np.int64),
        tail=np.asarray(tail, dtype=np.int64),
        keys=tuple((packet.place, packet.size) for packet in packets),
        pts=tuple(packet.pts for packet in packets),
    )
