"""Reads one file for the scan: ``python -m kinema.data.video.probe`` answers a line for each file that it is given.

A file of up to half a minute is decoded as a whole, so that its health is known. Of a longer one the packets are
counted, and four pieces along it are decoded. Its sound is decoded in the same way, until it is not silent.
"""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from kinema.core.errors import VideoError
from kinema.data.video.files import PICTURES_PER_SECOND, pictures, reading_error
from kinema.data.video.film import DRAWN
from kinema.data.video.interlacing import has_fields, vectors_fit
from kinema.data.video.limits import too_large
from kinema.data.video.manifest import PROBED
from kinema.data.video.motion import PacketTable
from kinema.data.video.picture import quarter_turns
from kinema.data.video.reading import Reader, TooLargeError, forget_packets, open_video, packet_table, packets_of
from kinema.data.video.sound import sound_facts
from kinema.data.video.tracks import track_note
from kinema.data.workers import Job, serve

WHOLE_SECONDS = 30.0
PIECES = 4
PIECE_FRAMES = 32
DECLARING = ("matroska,webm", "flv")
"""Containers that write down how long they are, and may go on without an index of their frames when they are cut."""
SPARE_SECONDS = 1.0
"""By how much such a container may say too much: muxers round, and count what the last packet would last."""
_ERRORS = (
    "EACCES EAGAIN EBUSY ECONNRESET EHOSTDOWN EHOSTUNREACH EINTR EIO EMFILE ENETDOWN ENETUNREACH ENFILE ENODEV ENOENT "
    "ENOTCONN ENXIO EPERM EREMOTEIO ESTALE ETIMEDOUT"
)
PASSING = tuple(os.strerror(getattr(errno, name)) for name in _ERRORS.split() if hasattr(errno, name))
"""How the system words failures that may pass. FFmpeg says some of them of damaged files too."""
CUT = "File ended prematurely"
"""What FFmpeg logs where a Matroska file ends within an element."""


def probe(path: Path) -> Job:
    """The fields of a :class:`kinema.data.video.manifest.Video` that the file itself decides.

    Of a file that is not whole it is asked whether the system can read it at all. If not, the failure may pass. If it
    can now, a failure of the system that the decoder met has passed already, and the file is looked at once more.
    """
    facts = _probed(path) | {"probed": PROBED}
    if facts["health"] != "ok" and any(words in facts["reason"] for words in PASSING):
        forget_packets()
        facts = _probed(path) | {"probed": PROBED}
    if facts["health"] == "ok":
        return facts
    error = reading_error(path)
    if error is None:
        return facts
    return facts | {"reason": f"it could not be read: {error.strerror or error}", "transient": True}


def _probed(path: Path) -> Job:
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture(local=False) as log:
        try:
            facts = _facts(path)
        except TooLargeError as error:
            height, width = error.size
            reason = too_large(height, width)
            facts = {"health": "unreadable", "reason": reason, "height": height, "width": width}
        except VideoError as error:
            facts = {"health": "unreadable", "reason": error.message.split(": ", 1)[-1].rstrip(".")}
            if "': " not in error.message:
                facts["reason"] = error.message.split("' ", 1)[-1].rstrip(".")
    messages = [message.strip() for _, _, message in log if message.strip()]
    first = messages[0] if messages else ""
    if facts["health"] == "ok" and any(CUT in message for message in messages):
        facts |= {"health": "partial", "reason": f"the file is cut off after {facts['frames']} frames"}
    if facts["health"] != "ok" and first and first not in facts["reason"]:
        facts["reason"] += f" ({first.rstrip('.')})"
    return facts


def _facts(path: Path) -> Job:
    table, listed = packet_table(path), len(pictures(path))
    with open_video(path) as (container, stream):
        context = stream.codec_context
        facts: Job = {
            "container": container.format.name,
            "codec": context.codec.canonical_name,
            "profile": context.profile or "",
            "pixel_format": context.pix_fmt or "",
            "width": context.width,
            "height": context.height,
            **_audio(container),
        }
        context.thread_type = "NONE"
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        declared = stream.frames
        promised = (container.duration or 0) / av.time_base if container.format.name in DECLARING else 0.0
        facts |= _timing(table, stream.time_base, fps)
        reader = Reader(container, stream)
        packets = len(table.shown()) if table is not None else 0
        # A jump in damaged times makes a short file last for hours: only a file of many frames is long.
        long = facts["duration"] > WHOLE_SECONDS and packets > PIECES * PIECE_FRAMES and not listed
        seen = _seen_pieces(reader, table) if long and table is not None else _seen(reader)
        facts["interlaced"] = 2 * seen["interlaced"] > seen["frames"]
        notes = [f"it was {DRAWN}"] if container.metadata.get("comment") == DRAWN else []
        notes += [track_note(container, stream), *_notes(seen)]
        notes += [f"pictures without times: {PICTURES_PER_SECOND} a second are assumed"] if listed else []
        facts["note"] = "; ".join(note for note in notes if note)
    if facts["audio_codec"] is not None:
        facts |= sound_facts(path, facts["duration"], WHOLE_SECONDS, PIECES)
    expected = packets if long else max(packets if table is not None else reader.packets, seen["frames"], listed)
    hidden = sum(table.hidden) if table is not None else 0
    facts["b_frames"] = facts["b_frames"] or seen["b"]
    facts["keyframes"] = seen["keys"] if table is None else facts["keyframes"]
    if seen["turns"] % 2:
        facts["width"], facts["height"] = facts["height"], facts["width"]
    facts["rotation"] = -seen["turns"] % 4 * 90
    facts["frames"] = expected if long else seen["frames"]
    if not facts["duration"] and fps:
        facts["duration"] = facts["frames"] / fps
    problems = []
    if declared - hidden > expected + 1:
        problems.append(f"the file ends after {expected} of {declared - hidden} frames")
    if reader.bad or facts["frames"] < expected:
        problems.append(f"{facts['frames']} of {expected} frames can be decoded")
    if reader.reason:
        problems.append(reader.reason)
    if promised > facts["duration"] + SPARE_SECONDS and promised > (end := _last_packet(path)) + SPARE_SECONDS:
        problems.append(f"the file ends after {end:.1f} of {promised:.1f} s")
    if seen["frames"] == 0:
        problems = [f"no frame can be decoded: {reader.reason or 'the stream is empty'}"]
    facts["health"] = "unreadable" if seen["frames"] == 0 else "partial" if problems else "ok"
    facts["reason"] = ", ".join(problems)
    return facts


def _last_packet(path: Path) -> float:
    """The time of the last packet of any stream, in seconds."""
    last = 0.0
    with open_video(path) as (container, _):
        try:
            for packet in packets_of(container):
                if packet.pts is not None and packet.time_base:
                    last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except av.FFmpegError:
            pass
    return last


def _audio(container: Any) -> Job:
    for stream in container.streams.audio:
        context = stream.codec_context
        if context is None:
            return {"audio_codec": "unknown", "audio_rate": 0}
        return {"audio_codec": context.codec.canonical_name, "audio_rate": context.sample_rate or 0}
    return {"audio_codec": None, "audio_rate": 0}


def _timing(table: PacketTable | None, time_base: Fraction, fps: float) -> Job:
    """Rate, duration, keyframes and order, by the packets' times where they have any."""
    shown = table.shown() if table is not None else []
    if table is None or not shown:
        return {"fps": fps, "variable_fps": False, "duration": 0.0, "keyframes": [], "b_frames": False}
    gaps = np.diff(np.asarray(shown, dtype=np.int64)).astype(np.int64)
    if len(gaps):
        fps = float(len(gaps) / (int(gaps.sum()) * time_base))
    places = {pts: number for number, pts in enumerate(shown)}
    starts = [places[pts] for pts, key in zip(table.pts, table.keyframe, strict=True) if key and pts in places]
    return {
        "fps": fps,
        "variable_fps": bool(len(gaps)) and (_uneven(gaps) or _drifting(gaps)),
        "duration": len(shown) / fps if fps else 0.0,
        "keyframes": sorted(starts),
        "b_frames": any(later < earlier for earlier, later in zip(table.pts, table.pts[1:], strict=False)),
    }


def _uneven(gaps: NDArray[np.int64]) -> bool:
    """Whether the frames' spacing varies by more than a tenth, and by more than the unit of time."""
    usual = float(np.median(gaps))
    return float(np.abs(np.subtract(gaps, usual)).max()) > 0.1 * usual + 1


def _drifting(gaps: NDArray[np.int64]) -> bool:
    """Whether a constant rate would show a frame half a frame too early or too late: small changes add up."""
    mean = float(gaps.mean())
    off = np.abs(np.cumsum(gaps) - mean * np.arange(1, len(gaps) + 1))
    return float(off.max()) >= max(0.5 * mean, 1.0)


def _seen(reader: Reader, most: int | None = None) -> Job:
    frames, turns, b, keys, interlaced, unfit = 0, 0, False, [], 0, 0
    sizes: dict[str, None] = {}
    codec = reader.stream.codec_context.name
    for frame in reader.frames():
        sizes[f"{frame.width}x{frame.height}"] = None
        interlaced += has_fields(codec, frame)
        unfit += not vectors_fit(codec, frame)
        if frame.key_frame:
            keys.append(frames)
        turns = quarter_turns(frame.rotation) if frames == 0 else turns
        b = b or PictureType(frame.pict_type) == PictureType.B
        frames += 1
        if frames == most:
            break
    seen = {"frames": frames, "turns": turns, "b": b, "keys": keys}
    return seen | {"sizes": sizes, "interlaced": interlaced, "unfit": unfit}


def _notes(seen: Job) -> list[str]:
    """What a person should know of frames that were seen."""
    notes = []
    if len(seen["sizes"]) > 1:
        sizes = list(seen["sizes"])
        more = f" and {len(sizes) - 4} others" if len(sizes) > 4 else ""
        notes.append(f"the size of the picture changes: {', '.join(sizes[:4])}{more}")
    if seen["interlaced"]:
        part = "" if seen["interlaced"] == seen["frames"] else " in part"
        vectors = ", and the motion vectors of fields are not used" if seen["unfit"] else ""
        notes.append(f"it is interlaced{part}: one field of each frame is read{vectors}")
    return notes


def _seen_pieces(reader: Reader, table: PacketTable) -> Job:
    shown = table.shown()
    total: Job = {"frames": 0, "turns": 0, "b": False, "sizes": {}, "interlaced": 0, "unfit": 0}
    for piece in range(PIECES):
        if not reader.seek(shown[piece * len(shown) // PIECES]):
            break
        seen = _seen(reader, PIECE_FRAMES)
        for name in ("frames", "interlaced", "unfit"):
            total[name] += seen[name]
        total["sizes"] |= seen["sizes"]
        total["turns"] = seen["turns"] if piece == 0 else total["turns"]
        total["b"] = total["b"] or seen["b"]
    return total


if __name__ == "__main__":
    serve(lambda job: probe(Path(job["file"])))
