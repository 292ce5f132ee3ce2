"""Data sets of people by name, as they lie on disk: NAME:PATH."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError, UsageError
from kinema.data.documents.walking import files_below
from kinema.data.pictures import claims_picture
from kinema.data.tracklets.drafts import Draft, Progress, Shot, finished, numbers_of
from kinema.data.tracklets.market import is_market, market_drafts
from kinema.data.tracklets.table import Tracklet

log = logging.getLogger(__name__)

PRID_SHARED, PRID_LEAST = 200, 27
"""Persons of PRID 2011 that both cameras saw, and frames that papers ask of both of their tracklets."""

_PRID = re.compile(r"cam_([ab])/person_(\d+)/[^/]+", re.IGNORECASE)
_ILIDS = re.compile(r"cam([12])/person(\d+)/[^/]+", re.IGNORECASE)


def named_layout(data: str | Path) -> tuple[str, Path]:
    """The layout and the folder that ``NAME:PATH``, or a path by itself ('' as its layout), names.

    Raises:
        UsageError: there is no layout of that name, or no path.
    """
    name, colon, place = str(data).partition(":")
    if Path(data).exists() or not colon or len(name) < 2:
        return "", Path(data)
    if name.lower() not in LAYOUTS:
        raise UsageError(
            f"There is no layout '{name}' of tracklets.",
            f"The known data sets are: {', '.join(LAYOUTS)}. Of any other, give the folder itself.",
        )
    if not place:
        raise UsageError(f"'{data}' names no folder.", f"Write {name}:PATH.")
    return name.lower(), Path(place).expanduser()


def layout_rows(name: str, root: Path, gap: int, progress: Progress | None) -> Sequence[Tracklet]:
    """The tracklets of a known data set.

    Args:
        name: of :data:`LAYOUTS`.
        root: its folder.
        gap: of Market-1501, see :func:`kinema.data.tracklets.market.market_drafts`.
        progress: is called with (files done, files).

    Raises:
        DataError: the folder holds no such data set; the message says what was expected.
    """
    return LAYOUTS[name](root, gap, progress)


def _market(root: Path, gap: int, progress: Progress | None) -> Sequence[Tracklet]:
    below = _below(root)
    drafts = market_drafts(below, gap)
    if not drafts:
        raise _not_there(root, "Market-1501", "pictures that are called like 0002_c1s1_000451_03.jpg", below)
    other = [path for path in below if claims_picture(path) and not is_market(PurePosixPath(path).name)]
    if other:
        log.warning("%d pictures are not named as Market-1501's and are passed over: '%s'.", len(other), other[0])
    return finished(root, drafts, progress)


def _prid(root: Path, gap: int, progress: Progress | None) -> Sequence[Tracklet]:  # noqa: ARG001 - as the others
    below = _below(root)
    several = [path for path in below if path.startswith("multi_shot/") or "/multi_shot/" in path] or below
    drafts = _by_name(several, _PRID)
    if not drafts:
        raise _not_there(root, "PRID 2011", "multi_shot/cam_a/person_0001/0001.png", below)
    found = {(draft.camera, draft.identity): draft for draft in drafts}
    kept = [
        draft
        for draft in drafts
        if int(draft.identity) <= PRID_SHARED
        and all(
            len(found[camera, draft.identity].shots) >= PRID_LEAST
            for camera in "ab"
            if (camera, draft.identity) in found
        )
        and all((camera, draft.identity) in found for camera in "ab")
    ]
    if not kept:
        raise DataError(f"No person in '{root}' has {PRID_LEAST} frames in both cameras.")
    log.info(
        "PRID 2011: %d persons with at least %d frames in both cameras; %d other tracklets are left out.",
        len(kept) // 2,
        PRID_LEAST,
        len(drafts) - len(kept),
    )
    return finished(root, kept, progress)


def _ilids(root: Path, gap: int, progress: Progress | None) -> Sequence[Tracklet]:  # noqa: ARG001 - as the others
    below = _below(root)
    several = [path for path in below if path.startswith("sequences/") or "/sequences/" in path] or below
    drafts = _by_name(several, _ILIDS)
    if not drafts:
        raise _not_there(root, "iLIDS-VID", "i-LIDS-VID/sequences/cam1/person001/*.png", below)
    return finished(root, drafts, progress)


def _mars(root: Path, gap: int, progress: Progress | None) -> Sequence[Tracklet]:  # noqa: ARG001 - as the others
    from kinema.data.tracklets.mars import mars_rows

    found: Sequence[Tracklet] = mars_rows(root, progress)
    return found


LAYOUTS: Mapping[str, Callable[[Path, int, Progress | None], Sequence[Tracklet]]] = {
    "market1501": _market,
    "mars": _mars,
    "prid2011": _prid,
    "ilids-vid": _ilids,
}
"""The known data sets by the names that a user gives."""


def _by_name(paths: Sequence[str], pattern: re.Pattern[str]) -> list[Draft]:
    """A tracklet a camera and person, by the ends of paths."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        tail = "/".join(PurePosixPath(path).parts[-3:])
        found = pattern.fullmatch(tail)
        if found is not None and claims_picture(path):
            groups.setdefault((found[2], found[1].lower()), []).append(path)
    drafts = []
    for (person, camera), files in groups.items():
        shots = [Shot(file, number) for file, number in zip(files, numbers_of(files), strict=True)]
        drafts.append(Draft(f"{person}/{camera}", person, camera, shots))
    return drafts


def _below(root: Path) -> list[str]:
    below, closed = files_below(root)
    if "." in closed:
        raise DataError(f"'{root}' cannot be listed: {closed['.']}.")
    return below


def _not_there(root: Path, title: str, expected: str, below: Sequence[str]) -> DataError:
    there = f"it holds {len(below)} files, for instance '{below[0]}'" if below else "it is empty"
    return DataError(f"'{root}' holds no {title}: {there}.", f"Expected: {expected}.")
