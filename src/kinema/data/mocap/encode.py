"""Frames to H.264, sound to AAC, and the note in a written file."""

from __future__ import annotations

import hashlib
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from kinema.core.files import write_atomic
from kinema.data.mocap.config import MocapConfig
from kinema.data.mocap.sound import RATE

BIT_RATE = 64_000
"""Of the AAC, bits a second."""

FRAME = 1024
"""Samples of a frame of AAC."""


def frames_digest(frames: NDArray[np.uint8], sound: NDArray[np.float32] | None = None) -> str:
    """A digest of 32 hexadecimal digits, of the frames ``[F, H, W, 3]``, and a sound ``[S]``, before they are encoded.

    A sound counts as its 16-bit samples.
    """
    shape = np.array(frames.shape, dtype="<i8").tobytes()
    samples = b"" if sound is None else np.rint(sound * 32767).astype("<i2").tobytes()
    digest = hashlib.blake2b(shape, digest_size=16)
    digest.update(np.ascontiguousarray(frames).data)
    digest.update(samples)
    return digest.hexdigest()


def write_video(
    path: Path, frames: NDArray[np.uint8], config: MocapConfig, note: str, sound: NDArray[np.float32] | None = None
) -> None:
    """Writes an MP4 file atomically.

    One thread, one reference frame, a keyframe every ``config.gop`` frames and nowhere else. Sound and picture begin
    at one time.

    Args:
        path: the file.
        frames: uint8 [F, H, W, 3], RGB.
        config: size, rate and encoder settings.
        note: written to the file's comment; :func:`read_note` gives it back.
        sound: float32 [S] at ``RATE`` samples a second, mono; None for none.

    Raises:
        StorageError: the file cannot be written.
    """
    memory = io.BytesIO()
    options = {
        "preset": "veryfast",
        "crf": str(config.crf),
        "threads": "1",
        "x264-params": f"keyint={config.gop}:min-keyint={config.gop}:scenecut=0:bframes={config.b_frames}"
        ":b-adapt=0:ref=1:open-gop=0:rc-lookahead=0:sync-lookahead=0:mbtree=0",
    }
    with av.open(memory, "w", format="mp4") as container:
        container.metadata["comment"] = note
        stream = container.add_stream("libx264", rate=config.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = config.size, config.size, "yuv420p"
        audio = None if sound is None else container.add_stream("aac", rate=RATE, layout="mono", bit_rate=BIT_RATE)
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if audio is not None and sound is not None:
            for at in range(0, len(sound), FRAME):
                part = np.ascontiguousarray(sound[None, at : at + FRAME])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    write_atomic(path, lambda file: file.write(memory.getbuffer()))


def read_note(path: Path) -> str:
    """The note of a file that :func:`write_video` wrote; empty where there is no such file or it holds none."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get("comment", "")
    except (OSError, av.FFmpegError):
        return ""
