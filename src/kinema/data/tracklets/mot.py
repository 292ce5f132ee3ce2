"""The form of MOTChallenge: a folder a recording, with its pictures or its video, and boxes that have numbers.

A line of ``gt/gt.txt``, ``gt.txt``, ``det/det.txt`` or ``det.txt`` is a box: frame (from 1), number of the track, left,
top, width, height, how sure it is, and in ground truth the class (1 is a pedestrian) and what part is seen
(motchallenge.net, instructions).
"""

from __future__ import annotations

import configparser
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.core.splits import part_of
from kinema.data.pictures import claims_picture
from kinema.data.tracklets.drafts import Draft, Shot
from kinema.data.tracklets.listing import why_no_box
from kinema.data.tracklets.table import Box
from kinema.data.video.files import claims_video
from kinema.data.written import read_written

log = logging.getLogger(__name__)

BOXES = ("gt/gt.txt", "gt.txt", "det/det.txt", "det.txt")
"""Files of boxes; the first that is there counts."""

PEDESTRIAN = 1
_FIELDS = re.compile(r"[,;\s]+")


@dataclass
class _Boxes:
    """The boxes of one recording.

    Args:
        tracks: number to the lines of a track: frame from 0, and box.
        passed: how many lines were passed over, by reason.
        untracked: lines without a track.
    """

    tracks: dict[int, list[tuple[int, Box]]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    untracked: int = 0


def recordings_in(below: Iterable[str]) -> dict[str, str]:
    """The recordings of a folder: their folders ('' is the folder itself), and the file of boxes of each.

    Args:
        below: all files, with forward slashes.
    """
    found: dict[str, str] = {}
    known = set(below)
    for boxes in reversed(BOXES):
        for path in known:
            if path == boxes or path.endswith(f"/{boxes}"):
                folder = path.removesuffix(boxes).rstrip("/")
                if not (boxes in ("gt.txt", "det.txt") and PurePosixPath(folder).name == boxes[:-4]):
                    found[folder] = path
    return found


def mot_drafts(root: Path, below: Sequence[str]) -> list[Draft]:
    """The tracks of all recordings.

    Args:
        root: the folder.
        below: all files in it, with forward slashes.

    Raises:
        DataError: no recording has tracks, or one has boxes and no pictures; the message says what is needed.
    """
    recordings = recordings_in(below)
    parts = {folder: part_of(PurePosixPath(folder).parts[0]) if folder else None for folder in recordings}
    splits = parts if any(parts.values()) else {}
    drafts: list[Draft] = []
    untracked = []
    for folder, file in sorted(recordings.items()):
        boxes = _read(root / file, truth=PurePosixPath(file).name == "gt.txt")
        if boxes.untracked:
            untracked.append(f"'{file}' ({boxes.untracked} boxes)")
        if not boxes.tracks:
            continue
        for why, count in boxes.passed.items():
            log.info("'%s': %d boxes are passed over: %s.", file, count, why)
        pictures = _pictures(folder, below)
        fps = _fps(root / folder / "seqinfo.ini")
        name = folder or root.name
        for track, places in sorted(boxes.tracks.items()):
            draft = Draft(f"{name}/{track}", f"{name}/{track}", name, fps=fps, source=name, split=splits.get(folder))
            draft.shots = _shots(pictures, places, file)
            drafts.append(draft)
    if untracked and not drafts:
        raise DataError(
            f"Boxes without tracks, whose number is -1: {', '.join(untracked[:3])}. Which of them are one person is "
            "not said there.",
            "Tracks are needed: run a tracker over the boxes first, or use gt.txt.",
        )
    if untracked:
        log.warning("Boxes without tracks (number -1) are passed over: %s.", ", ".join(untracked[:5]))
    if not drafts:
        raise DataError(f"There is no track in {', '.join(sorted(recordings.values())[:3])} of '{root}'.")
    return drafts


def _read(file: Path, *, truth: bool) -> _Boxes:
    """The boxes of a file.

    Raises:
        DataError: a line is none of boxes; its number is named.
    """
    found = _Boxes()
    for line, text in enumerate(read_written(file).text.splitlines(), 1):
        cells = [cell for cell in _FIELDS.split(text.strip()) if cell]
        if not cells:
            continue
        try:
            values = [float(cell) for cell in cells]
            frame, track = int(values[0]), int(values[1])
            if (frame, track) != tuple(values[:2]) or frame >= 2**53:
                raise ValueError("frame and number are whole")
            box: Box = (values[2], values[3], values[4], values[5])
        except (ValueError, IndexError, OverflowError) as error:
            raise DataError(
                f"'{file}', line {line}: it is no box: '{text[:60]}'.",
                "A line is frame, number, left, top, width, height and how sure it is, separated by commas.",
            ) from error
        if frame < 1:
            raise DataError(f"'{file}', line {line}: the frame is {frame}; they are counted from 1.")
        why = _passed_over(values) if truth else ""
        if why:
            found.passed[why] = found.passed.get(why, 0) + 1
        elif track < 0:
            found.untracked += 1
        else:
            found.tracks.setdefault(track, []).append((frame - 1, box))
    return found


def _passed_over(values: Sequence[float]) -> str:
    """Why a line of ground truth is no person to be followed; empty where it is one."""
    if len(values) > 6 and values[6] == 0:
        return "they are marked as not to be counted"
    if len(values) in (8, 9) and values[7] != PEDESTRIAN and values[7] > 0:
        return "they are of another class than pedestrians"
    return ""


def _pictures(folder: str, below: Sequence[str]) -> Mapping[int, str] | str:
    """The pictures of a recording by their frame, from 0; or its video.

    Raises:
        DataError: it has neither, or several videos.
    """
    before = f"{folder}/" if folder else ""
    numbered: dict[int, str] = {}
    for path in below:
        name = PurePosixPath(path)
        if path.startswith(f"{before}img1/") and claims_picture(path):
            digits = re.search(r"(\d+)$", name.stem)
            if digits is not None:
                numbered[int(digits[1]) - 1] = path
    if numbered:
        return numbered
    videos = [p for p in below if claims_video(p) and str(PurePosixPath(p).parent) == (folder or ".")]
    if len(videos) != 1:
        there = "neither img1/ with numbered pictures nor a video" if not videos else f"{len(videos)} videos"
        raise DataError(
            f"The recording '{folder or '.'}' has boxes and {there}.",
            "A recording has img1/000001.jpg and so on, or one video beside its boxes.",
        )
    return videos[0]


def _shots(pictures: Mapping[int, str] | str, places: Sequence[tuple[int, Box]], file: str) -> list[Shot]:
    """The frames of a track; a second box of one frame is left out, and said so."""
    shots: list[Shot] = []
    seen: set[int] = set()
    for frame, box in sorted(places, key=lambda place: place[0]):
        path = pictures if isinstance(pictures, str) else pictures.get(frame, "")
        why = why_no_box(box)
        if not path:
            why = f"there is no picture of frame {frame + 1}"
        elif frame in seen:
            why = f"'{file}' has another box of it in that frame"
        seen.add(frame)
        shots.append(Shot(path or f"img1/{frame + 1:06}.jpg", frame, box, why))
    return shots


def _fps(file: Path) -> float:
    """Frames a second by ``seqinfo.ini``; 0 where it does not say."""
    if not file.is_file():
        return 0.0
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_written(file).text)
        found = parser.getfloat("Sequence", "frameRate", fallback=0.0)
    except (configparser.Error, ValueError):
        log.warning("'%s' is not read: it is no table of settings, so frames a second are not known.", file)
        return 0.0
    return found if math.isfinite(found) and found > 0 else 0.0
