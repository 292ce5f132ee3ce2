"""Market-1501 by its names: PPPP_cCsS_FFFFFF_BB.jpg is person, camera, sequence, frame at 25 a second, and box.

The set is of single pictures. Those of one person, camera and sequence are a tracklet as long as no two of them are
further apart than a gap; the person 0000 is anybody (a distractor) and -1 is junk, so that each of those pictures is a
tracklet by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kinema.data.tracklets.drafts import Draft, Shot
from kinema.data.tracklets.table import Kind, Role

FPS = 25.0
_NAME = re.compile(r"(-1|\d{4})_c(\d+)s(\d+)_(\d+)_(\d+)(?:\.jpg)+", re.IGNORECASE)
_FOLDERS: dict[str, tuple[str, Role]] = {
    "bounding_box_train": ("train", ""),
    "query": ("test", "query"),
    "bounding_box_test": ("test", "gallery"),
}


@dataclass(frozen=True)
class _Picture:
    """A picture by its name."""

    path: str
    person: str
    camera: str
    sequence: str
    frame: int
    box: int


def is_market(name: str) -> bool:
    """Whether a file's name is one of Market-1501's."""
    return _NAME.fullmatch(name) is not None


def frame_of(name: str) -> int | None:
    """The number of the frame that a picture is of, by its name; None where it is not named so."""
    found = _NAME.fullmatch(PurePosixPath(name).name)
    return int(found[4]) if found is not None else None


def market_drafts(paths: Iterable[str], gap: int) -> list[Draft]:
    """The tracklets of pictures that are named so; others are passed over.

    Args:
        paths: below the root; in the set's own folders they have its splits and roles, and elsewhere none.
        gap: frames between two pictures of a tracklet, at most.
    """
    official = {folder: [] for folder in _FOLDERS}  # type: dict[str, list[_Picture]]
    flat: list[_Picture] = []
    for path in paths:
        pure = PurePosixPath(path)
        found = _NAME.fullmatch(pure.name)
        if found is not None:
            picture = _Picture(path, found[1], found[2], found[3], int(found[4]), int(found[5]))
            official.get(pure.parent.name, flat).append(picture)
    if not any(official.values()):
        return _drafts(flat, gap, "", None, "")
    return [
        draft
        for folder, pictures in official.items()
        for draft in _drafts(pictures, gap, f"{folder}/", *_FOLDERS[folder])
    ]


def _drafts(pictures: Sequence[_Picture], gap: int, before: str, split: str | None, role: Role) -> list[Draft]:
    drafts: list[Draft] = []
    last: _Picture | None = None
    for each in sorted(pictures, key=lambda p: (p.person, p.camera, p.sequence, p.frame, p.box)):
        same = last is not None and (last.person, last.camera, last.sequence) == (
            each.person,
            each.camera,
            each.sequence,
        )
        kind: Kind = {"0000": "distractor", "-1": "junk"}.get(each.person, "person")  # type: ignore[assignment]
        if last is None or not same or each.frame - last.frame > gap or kind != "person":
            name = before + PurePosixPath(each.path).name.partition(".")[0]
            about = {"sequence": each.sequence}
            drafts.append(Draft(name, each.person, each.camera, [], FPS, kind, role, split=split, attributes=about))
        drafts[-1].shots.append(Shot(each.path, each.frame))
        last = each
    return drafts
