"""A folder, a table or a known data set as tracklets: what is there, what is broken, and who is held out."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from kinema.core.errors import ConfigError, DataError
from kinema.core.labelling import LabelReading
from kinema.core.seeds import seed_at
from kinema.core.splits import part_of, tidy
from kinema.data.documents.walking import files_below
from kinema.data.pictures import claims_picture
from kinema.data.tracklets.drafts import Draft, Progress, Shot, finished, numbers_of
from kinema.data.tracklets.layouts import layout_rows, named_layout
from kinema.data.tracklets.listing import LISTING, read_listing
from kinema.data.tracklets.market import is_market
from kinema.data.tracklets.mot import mot_drafts, recordings_in
from kinema.data.tracklets.table import Role, Tracklet, Tracklets

log = logging.getLogger(__name__)

_FORMS = (
    "Tracklets are IDENTITY/CAMERA/*.jpg, a tracklets.csv (path, identity, camera, tracklet, frame), recordings with "
    "boxes (img1/ or a video, and gt/gt.txt), or a known data set, for instance market1501:FOLDER."
)
_ROLES: tuple[Role, ...] = ("query", "gallery")
_DEEPEST = 3

Origin = Literal["data", "drawn", "none"]


def read_tracklets(
    data: str | Path, *, gap: int = 250, held_out: float = 0.5, split: int = 0, progress: Progress | None = None
) -> Tracklets:
    """Reads the tracklets of a folder, of a table, or of a known data set.

    Args:
        data: a folder IDENTITY/CAMERA/*.jpg or IDENTITY/CAMERA/TRACKLET/*.jpg; a ``tracklets.csv`` or a folder with
            one; a folder in MOTChallenge's form, or of such; or a known data set as NAME:PATH.
        gap: frames between two pictures of a tracklet at most, where pictures are named as Market-1501's.
        held_out: the share of identities that are held out for measurement, from 0 to below 1, where the data do not
            say which.
        split: which draw of them.
        progress: is called with (files done, files).

    Raises:
        DataError: nothing is there, or nothing there is a tracklet that can be read; the message says what is there.
        UsageError: there is no data set of that name.
        ConfigError: ``held_out`` or ``gap`` is out of range.
    """
    if not 0 <= held_out < 1:
        raise ConfigError(f"held_out is {held_out}; it is a share of identities, from 0 to below 1.")
    if gap < 1:
        raise ConfigError(f"gap is {gap}; it must be at least 1.")
    layout, place = named_layout(data)
    if not place.exists():
        raise DataError(f"'{place}' is not there.", _FORMS)
    reading: LabelReading | None = None
    rows: Sequence[Tracklet]
    if layout:
        if not place.is_dir():
            raise DataError(f"'{place}' is no folder.", f"Write {layout}:FOLDER.")
        root = place.resolve()
        rows = layout_rows(layout, root, gap, progress)
    else:
        root, drafts, reading = _drafts(place)
        rows = finished(root, drafts, progress)
    _warn_of_broken(rows)
    _warn_of_cameras(rows)
    rows, origin = _with_splits(tuple(rows), held_out, split)
    return Tracklets(root, rows, origin, reading)


def _drafts(place: Path) -> tuple[Path, list[Draft], LabelReading | None]:
    """What a folder or a table names, in whichever form."""
    listing = place / LISTING if place.is_dir() else place
    if listing.is_file():
        if listing.suffix.lower() not in (".csv", ".tsv", ".txt"):
            raise DataError(f"'{place}' is a file, and no table of tracklets.", _FORMS)
        return (listing.parent.resolve(), *read_listing(listing))
    root = place.resolve()
    below, closed = files_below(root)
    for path, why in closed.items():
        if not claims_picture(path):
            log.warning("'%s' is not looked at: %s.", path, why)
    if recordings_in(below):
        return root, mot_drafts(root, below), None
    pictures = sorted([path for path in below if claims_picture(path)] + [p for p in closed if claims_picture(p)])
    return root, _folder_drafts(place, pictures, below, closed), None


def _folder_drafts(
    place: Path, pictures: Sequence[str], below: Sequence[str], closed: Mapping[str, str]
) -> list[Draft]:
    """Tracklets of a folder by the names of its folders."""
    inside = [path for path in pictures if "/" in path]
    if not inside:
        flat = any(is_market(PurePosixPath(path).name) for path in pictures)
        hint = f"They are named as those of Market-1501: write market1501:{place}" if flat else _FORMS
        there = f"{len(pictures)} pictures and no folder of a person" if pictures else f"{len(below)} files, no picture"
        raise DataError(f"There are no tracklets in '{place}': {there}.", hint)
    if len(inside) < len(pictures):
        loose = [path for path in pictures if "/" not in path]
        log.warning("%d pictures lie in no person's folder and are passed over: '%s'.", len(loose), loose[0])
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in inside:
        groups.setdefault(PurePosixPath(path).parts[:-1], []).append(path)
    tops = {parts[0] for parts in groups}
    parts_first = all(_says_part(top) for top in tops) and all(len(parts) > 1 for parts in groups)
    drafts = []
    for parts, paths in groups.items():
        shots = [
            Shot(path, number, why=closed.get(path, "")) for path, number in zip(paths, numbers_of(paths), strict=True)
        ]
        draft = Draft(tidy("/".join(parts)), shots=shots)
        if parts_first:
            top, parts = parts[0], parts[1:]
            role = top.casefold() if top.casefold() in _ROLES else ""
            draft.split, draft.role = part_of(top) or "test", cast(Role, role)
        if len(parts) > _DEEPEST:
            raise DataError(
                f"'{'/'.join(parts)}' lies {len(parts)} folders deep; at most {_DEEPEST} were expected: a person's, a "
                "camera's and a tracklet's.",
                _FORMS,
            )
        draft.identity, draft.camera = tidy(parts[0]), tidy(parts[1]) if len(parts) > 1 else ""
        drafts.append(draft)
    return drafts


def _says_part(folder: str) -> bool:
    return part_of(folder) is not None or folder.casefold() in _ROLES


def _warn_of_broken(rows: Sequence[Tracklet]) -> None:
    """Names the tracklets of which no frame can be read; whoever uses the others leaves them out."""
    broken = [row for row in rows if row.health != "ok"]
    if broken:
        named = "; ".join(f"'{row.name}' ({row.reason or row.health})" for row in broken[:3])
        more = f"; and {len(broken) - 3} more" if len(broken) > 3 else ""
        log.warning("%d of %d tracklets cannot be read and are left out: %s%s.", len(broken), len(rows), named, more)


def _warn_of_cameras(rows: Sequence[Tracklet]) -> None:
    """Says what the cameras do not allow: nothing can be matched across cameras that are not known, or one alone."""
    people = [row for row in rows if row.label is not None]
    if not people:
        log.warning("No tracklet says who it shows: nothing can be learnt of who is who.")
        return
    unknown = sum(not row.camera for row in people)
    if unknown:
        log.warning(
            "%d of %d tracklets do not say which camera saw them: a person's tracklets cannot be told to be of "
            "several cameras, and `kinema evaluate reid` refuses them. Folders are IDENTITY/CAMERA/*.jpg.",
            unknown,
            len(people),
        )
        return
    cameras: dict[str, set[str]] = {}
    for row in people:
        cameras.setdefault(str(row.label), set()).add(row.camera)
    alone = [who for who, which in sorted(cameras.items()) if len(which) == 1]
    if len(alone) == len(cameras):
        log.warning(
            "None of %d people was seen by two cameras: they are told apart within a camera only, and `kinema evaluate "
            "reid` has nothing to measure.",
            len(cameras),
        )
    elif alone:
        log.warning(
            "%d of %d people were seen by one camera only, for instance '%s': they are queries without a match.",
            len(alone),
            len(cameras),
            alone[0],
        )


def _with_splits(rows: tuple[Tracklet, ...], held_out: float, split: int) -> tuple[tuple[Tracklet, ...], Origin]:
    """The rows with their split: the data's own; else by identity, some of which are held out."""
    if any(row.split for row in rows):
        return rows, "data"
    if any(row.role for row in rows):
        return tuple(replace(row, split="test" if row.role else "train") for row in rows), "data"
    people = sorted({row.label for row in rows if row.label is not None})
    learnt = math.ceil(round((1 - held_out) * len(people), 6))
    if learnt == len(people) or learnt < 2:
        if held_out and people:
            log.warning("Of %d people none is held out for measurement: two are needed to learn from.", len(people))
        return rows, "none"
    order = sorted(people, key=lambda who: seed_at(split, "identities", who))
    chosen = set(order[:learnt])
    counts = Counter("train" if row.label in chosen or not row.identity else "test" for row in rows)
    log.info(
        "%d of %d people are held out for measurement (draw %d): %d tracklets to learn from, %d to measure on.",
        len(people) - learnt,
        len(people),
        split,
        counts["train"],
        counts["test"],
    )
    return tuple(
        replace(row, split="train" if row.label in chosen or not row.identity else "test") for row in rows
    ), "drawn"
