"""From what a folder says of tracklets to a table: every file is looked at once, and what is broken is named."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from kinema.core.errors import DataError
from kinema.core.splits import read_split
from kinema.data.pictures import claims_picture, size_of_picture
from kinema.data.sequences.files import blocks, file_digest, open_features
from kinema.data.tracklets.boxes import within
from kinema.data.tracklets.table import Box, Kind, Role, Tracklet
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.files import claims_video
from kinema.data.video.reading import packet_table

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_THREADS = 4
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Shot:
    """One frame of a tracklet, as a folder or a table names it.

    Args:
        file: below the root, with forward slashes.
        number: of the frame in the recording.
        box: where the person is; None for the whole picture.
        why: why it is left out; empty where it may be read.
    """

    file: str
    number: int
    box: Box | None = None
    why: str = ""


@dataclass
class Draft:
    """A tracklet of which no file was looked at yet; see :class:`kinema.data.tracklets.table.Tracklet`."""

    name: str
    identity: str = ""
    camera: str = ""
    shots: list[Shot] = field(default_factory=list)
    fps: float = 0.0
    kind: Kind = "person"
    role: Role = ""
    source: str = ""
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probed:
    """What is known of a file.

    Args:
        size: (height, width) of its pictures; of an array, (T, F).
        frames: how many: 1 of a picture; 0 of a video where that is not known.
        digest: SHA-256 of its bytes.
        reason: why it cannot be read; empty where it can.
    """

    size: tuple[int, int] = (0, 0)
    frames: int = 0
    digest: str = ""
    reason: str = ""


def natural(text: str) -> list[tuple[int, int, str]]:
    """What sorts names as people count: 'frame 9' before 'frame 10'."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part]


def numbers_of(names: Sequence[str]) -> list[int]:
    """The numbers of frames by the last number in their files' names, where those rise in the names' natural order.

    Otherwise the frames are 0, 1, 2, … in that order: the last number is then none of a frame.

    Args:
        names: of files, in any order.

    Returns:
        A number of each.
    """
    ordered = sorted(names, key=natural)
    found = [_DIGITS.findall(PurePosixPath(name).stem) for name in ordered]
    numbers = list(range(len(ordered)))
    if all(each and len(each[-1]) < 16 for each in found):
        last = [int(each[-1]) for each in found]
        numbers = last if all(a < b for a, b in itertools.pairwise(last)) else numbers
    places = dict(zip(ordered, numbers, strict=True))
    return [places[name] for name in names]


def finished(root: Path, drafts: Sequence[Draft], progress: Progress | None = None) -> tuple[Tracklet, ...]:
    """Tracklets in the order of their names, each with its health.

    Args:
        root: the folder that files lie below.
        drafts: what was said of them.
        progress: is called with (files done, files).

    Raises:
        DataError: two tracklets have one name, one mixes pictures with a video, or not one can be read.
    """
    twice = [name for name, count in Counter(each.name for each in drafts).items() if count > 1]
    if twice:
        raise DataError(f"There is more than one tracklet '{twice[0]}'.", "Give each a name of its own.")
    files = sorted({shot.file for draft in drafts for shot in draft.shots if not shot.why})
    known = _probe_all(root, files, progress)
    rows = tuple(_finished(draft, known) for draft in sorted(drafts, key=lambda each: each.name))
    if all(row.health != "ok" for row in rows):
        shown = f"'{rows[0].name}': {rows[0].reason}" if rows else "there is none"
        raise DataError(f"None of the {len(rows)} tracklets in '{root}' can be read; {shown}.")
    return rows


def _probe_all(root: Path, files: Sequence[str], progress: Progress | None) -> dict[str, Probed]:
    found = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (file, each) in enumerate(zip(files, pool.map(lambda f: probed(root / f), files), strict=True), 1):
            found[file] = each
            if progress is not None:
                progress(done, len(files))
    return found


def probed(path: Path) -> Probed:
    """Looks at one file, whatever state it is in; a second time only if it has changed since."""
    try:
        state = path.stat()
        return _probed(path, state.st_size, state.st_mtime_ns)
    except (OSError, ValueError) as error:
        return Probed(reason=getattr(error, "strerror", None) or str(error))


@lru_cache(maxsize=1 << 19)
def _probed(path: Path, size: int, mtime_ns: int) -> Probed:  # noqa: ARG001 - another state is another key
    try:
        if not path.is_file():
            return Probed(reason="it is no file")
        digest = file_digest(path)
        if path.suffix.lower() == ".npy":
            return _probed_array(path, digest)
        if claims_video(path.name):
            return _probed_video(path, digest)
        return Probed(size_of_picture(path), 1, digest)
    except DataError as error:
        return Probed(reason=error.message.replace(f"'{path}' cannot be read: ", "").rstrip("."))


def _probed_array(path: Path, digest: str) -> Probed:
    array = open_features(path)
    for first, some in blocks(array):
        bad = ~np.isfinite(some)
        if bad.any():
            return Probed(reason=f"frame {first + int(np.argwhere(bad)[0][0])} has features that are no finite numbers")
    return Probed(array.shape, len(array), digest)


def _probed_video(path: Path, digest: str) -> Probed:
    first = next(iter(decode_chunks(path, short_side=None, motion=False, stop=1, seek=False)))
    table = packet_table(path)
    return Probed(first.source_size, len(table.shown()) if table is not None else 0, digest)


def _finished(draft: Draft, known: Mapping[str, Probed]) -> Tracklet:
    shots = sorted(draft.shots, key=lambda shot: shot.number)
    kinds = {_kind_of(shot.file) for shot in shots}
    if len(kinds) > 1 or (kinds & {"video", "array"} and len({shot.file for shot in shots}) > 1):
        raise DataError(
            f"The tracklet '{draft.name}' has frames of several kinds of files, or of several videos: "
            f"{', '.join(sorted({shot.file for shot in shots})[:3])}.",
            "A tracklet is pictures, or frames of one video, or one array of features.",
        )
    if kinds == {"array"}:
        return _finished_array(draft, shots[0], known)
    kept, lost = _kept(shots, known)
    boxed = {shot.box is None for shot in kept}
    if len(boxed) > 1:
        raise DataError(
            f"The tracklet '{draft.name}' has boxes for some of its frames only.", "Give each a box, or none."
        )
    reason = _reason(lost, len(shots))
    if not kept:
        state = ("unreadable", reason) if shots else ("empty", "there is no frame in it")
        return _tracklet(draft, health=state[0], reason=state[1])
    digest = hashlib.sha256()
    for shot in kept:
        digest.update(f"{known[shot.file].digest} {shot.number} {shot.box}\n".encode())
    files = tuple(shot.file for shot in kept) if kinds == {"picture"} else (kept[0].file,)
    boxes = tuple(shot.box for shot in kept if shot.box is not None)
    numbers = tuple(shot.number for shot in kept)
    return _tracklet(draft, files=files, numbers=numbers, boxes=boxes, reason=reason, digest=digest.hexdigest())


def _finished_array(draft: Draft, shot: Shot, known: Mapping[str, Probed]) -> Tracklet:
    if len(draft.shots) > 1:
        raise DataError(
            f"The tracklet '{draft.name}' names its array of features '{shot.file}' {len(draft.shots)} times.",
            "An array holds all frames of a tracklet: one row is enough.",
        )
    why = shot.why or known[shot.file].reason
    if why:
        return _tracklet(draft, health="unreadable", reason=f"'{shot.file}': {why}")
    frames = known[shot.file].frames
    if not frames:
        return _tracklet(draft, health="empty", reason="there is no frame in it")
    return _tracklet(draft, files=(shot.file,), numbers=tuple(range(frames)), digest=known[shot.file].digest)


def _kept(shots: Iterable[Shot], known: Mapping[str, Probed]) -> tuple[list[Shot], list[tuple[Shot, str]]]:
    """The frames that can be read, their boxes cut to their pictures; and the others, with the reason."""
    kept, lost = [], []
    for shot in shots:
        about = known.get(shot.file, Probed())
        box = within(shot.box, *about.size) if shot.box is not None and about.size != (0, 0) else shot.box
        if shot.why or about.reason:
            lost.append((shot, shot.why or about.reason))
        elif claims_video(shot.file) and about.frames and shot.number >= about.frames:
            lost.append((shot, f"the video has {about.frames} frames"))
        elif shot.box is not None and box is None:
            lost.append((shot, f"the box {shot.box} lies outside of the picture"))
        else:
            kept.append(Shot(shot.file, shot.number, box))
    return kept, lost


def _reason(lost: Sequence[tuple[Shot, str]], frames: int) -> str:
    if not lost:
        return ""
    named = "; ".join(f"frame {shot.number} ('{shot.file}'): {why}" for shot, why in lost[:3])
    more = f"; and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"{len(lost)} of {frames} frames cannot be used: {named}{more}"


def _kind_of(file: str) -> str:
    if file.lower().endswith(".npy"):
        return "array"
    return "video" if claims_video(file) else "picture"


def claims_frames(name: str) -> bool:
    """Whether a file's name ends like a picture's, a video's or an array's."""
    return claims_picture(name) or claims_video(name) or name.lower().endswith(".npy")


def _tracklet(draft: Draft, **found: object) -> Tracklet:
    about = {
        key: getattr(draft, key)
        for key in ("name", "identity", "camera", "fps", "kind", "role", "source", "attributes")
    }
    return Tracklet(**about, split=read_split(draft.split), **found)  # type: ignore[arg-type]
