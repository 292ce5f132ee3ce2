"""Every file of a folder of untouched, odd and damaged videos: what the scan says of it, and what a decode gives.

    python benchmarks/data/untouched_files.py decoder_clips

Each file is scanned, decoded from beginning to end at 72 pixels, read as a clip in its middle, and asked for its motion
vectors. A file passes if all of its frames came, or if the scan names it with its reason.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record

from kinema.core.clips import ClipSpec
from kinema.core.errors import KinemaError
from kinema.data import ClipStore, Manifest, Video, scan
from kinema.data.video.decoding import decode_chunks

SIDE = 72


def told(error: KinemaError, manifest: Manifest) -> str:
    """What it says, with the file's path below the folder."""
    return error.message.replace(f"{manifest.root}/", "")


def frames_of(manifest: Manifest, row: int, *, motion: bool) -> int | str:
    """How many frames a decode of the whole file gives, or the reason why none."""
    try:
        return sum(len(part) for part in decode_chunks(manifest.file(row), short_side=SIDE, motion=motion))
    except KinemaError as error:
        return told(error, manifest)


def clip_of(manifest: Manifest, row: int) -> str:
    """'yes', or why a clip from the middle of the file cannot be read."""
    try:
        store = ClipStore(manifest, ClipSpec(4, 1, 64, SIDE), motion=False, cache=None, short_videos="repeat")
        start = max(0, manifest.videos[row].frames - store.spec.span) // 2
        return "yes" if store.read(row, (start,)).frames.any() else "black"
    except KinemaError as error:
        return told(error, manifest)


def row_of(manifest: Manifest, row: int) -> dict[str, Any]:
    """All that is told of one file."""
    video: Video = manifest.videos[row]
    decoded, moving = frames_of(manifest, row, motion=False), frames_of(manifest, row, motion=True)
    return {
        "path": video.path,
        "codec": video.codec,
        "profile": video.profile,
        "pixels": video.pixel_format,
        "size": f"{video.width}x{video.height}",
        "rotation": video.rotation,
        "fps": round(video.fps, 3),
        "variable": video.variable_fps,
        "b_frames": video.b_frames,
        "audio": video.audio_codec,
        "health": video.health,
        "reason": video.reason,
        "frames": video.frames,
        "decoded": decoded,
        "motion": moving == decoded if isinstance(moving, int) else moving,
        "clip": clip_of(manifest, row) if video.health != "unreadable" else "",
        "passes": decoded == video.frames if video.health == "ok" else bool(video.reason),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    began = time.monotonic()
    manifest = scan(arguments.folder)
    scanned = time.monotonic() - began
    with Progress(console=Console(stderr=True)) as progress:
        rows = [row_of(manifest, row) for row in progress.track(range(len(manifest)))]
    health, failing = dict(Counter(row["health"] for row in rows)), [row["path"] for row in rows if not row["passes"]]
    record.write(
        "data-untouched-files",
        f"python benchmarks/data/untouched_files.py {arguments.folder.name}",
        files=len(rows),
        health=health,
        do_not_pass=failing,
        scan_seconds=scanned,
        rows=rows,
    )
    table = Table("file", "codec", "size", "frames", "health", "reason", "motion")
    for row in rows:
        motion = "yes" if row["motion"] is True else "no"
        kind = f"{row['codec']} {row['profile']} {row['pixels']}"
        table.add_row(row["path"], kind, row["size"], str(row["decoded"])[:20], row["health"], row["reason"], motion)
    Console().print(table, f"{len(rows)} files, {health}; do not pass: {failing or 'none'}")


if __name__ == "__main__":
    main()
