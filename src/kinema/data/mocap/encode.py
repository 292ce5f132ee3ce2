"""Frames to H.264, and what a written file tells of itself."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from kinema.core.files import write_atomic
from kinema.data.mocap.config import MocapConfig


def frames_digest(frames: NDArray[np.uint8]) -> str:
    """32 hexadecimal digits that stand for the frames ``[F, H, W, 3]`` before they are encoded."""
    shape = np.array(frames.shape, dtype="<i8").tobytes()
    return hashlib.blake2b(shape + np.ascontiguousarray(frames).tobytes(), digest_size=16).hexdigest()


def write_video(path: Path, frames: NDArray[np.uint8], config: MocapConfig, note: str) -> None:
    """Writes an MP4 file atomically.

    One thread, one reference frame, a keyframe every ``config.gop`` frames and nowhere else.

    Args:
        path: the file.
        frames: uint8 [F, H, W, 3], RGB.
        config: size, rate and encoder settings.
        note: kept in the file's comment; :func:`read_note` gives it back.

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
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    write_atomic(path, lambda file: file.write(memory.getbuffer()))


def read_note(path: Path) -> str:
    """The note of a file that :func:`write_video` wrote; empty where there is no such file or it holds none."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get("comment", "")
    except (OSError, av.FFmpegError):
        return ""
