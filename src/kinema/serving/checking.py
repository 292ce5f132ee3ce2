"""Looks at one uploaded file: ``python -m kinema.serving.checking`` answers a line for each file that it is given.

What is decoded here is a stranger's, so it happens in a process of its own, which may not take much memory or time and
whose crash is an answer too. Only containers that hold their pictures themselves are opened: a playlist, which could
name other files of this machine, or places elsewhere, is refused before anything of it is followed.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import av
import av.logging

from kinema.core.errors import VideoError
from kinema.data.video.hearing import sound_file
from kinema.data.video.limits import too_large
from kinema.data.video.probe import probe
from kinema.data.video.reading import reason_of, video_stream
from kinema.data.workers import Job, serve

MEMORY = 6 * 1024**3
"""Bytes of address space; FFmpeg's threads reserve far more than they use."""

SOUNDS = "wav,w64,aiff,mp3,flac,ogg,aac,amr,ac3,caf"
"""Containers of sound alone, where that will do."""

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,gif,h264,hevc,m4v,ogg,ivf,mxf,dv,"
    "yuv4mpegpipe,rm,nut,image2,png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,tiff_pipe"
)


def look(path: Path, *, with_sound: bool = False) -> Job:
    """The facts of :func:`kinema.data.video.probe.probe`; 'unreadable' with a reason where it is no video.

    Args:
        path: the file.
        with_sound: whether a file of sound is accepted, and described as a video of the same length.
    """
    av.logging.set_level(av.logging.PANIC)
    try:
        allowed = f"{CONTAINERS},{SOUNDS}" if with_sound else CONTAINERS
        options = {"format_whitelist": allowed, "protocol_whitelist": "file"}
        with av.open(str(path), metadata_errors="replace", options=options) as container:
            streams = container.streams.video
            moving = video_stream(container) is not None
            large = [too_large(s.codec_context.height, s.codec_context.width) for s in streams if s.codec_context]
    except (av.FFmpegError, OSError, ValueError, UnicodeError, VideoError) as error:
        return _refused(reason_of(error))
    if with_sound and not moving:
        return _listened(path)
    if not streams:
        return _refused("it holds no pictures")
    if reason := next(filter(None, large), ""):
        return _refused(reason)
    return probe(path)


def _listened(path: Path) -> Job:
    found = sound_file(path)
    if found is None:
        return _refused("it holds neither moving pictures nor a sound that can be decoded")
    return asdict(found)


def _refused(reason: str) -> Job:
    return {"health": "unreadable", "reason": reason}


def _limit() -> None:
    """Bounds the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    _limit()
    serve(lambda job: look(Path(job["file"]), with_sound=job["with_sound"]))
