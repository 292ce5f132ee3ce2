"""Data sets of activity segmentation by name: what tells the activity, what numbers the labels, what is background.

Each lies as the field hands it on: ``features/`` (flat, or a folder an activity), ``groundTruth/`` with a label a line,
``mapping/mapping.txt`` or ``mapping.txt``, and ``splits/`` where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kinema.core.errors import UsageError

ActivityFrom = Literal["auto", "column", "folder", "name", "name-before-number", "none"]
"""What tells the activity: a column of labels.csv, the folder below ``features/``, the last part of the name after an
underscore ('P03_cam01_P03_coffee'), all parts before a last number ('changing_tire_0001'), or nothing: all are one."""


@dataclass(frozen=True)
class SequenceLayout:
    """How one data set lies on disk.

    Args:
        title: its name, as its authors write it.
        activity: what tells the activity.
        mappings: files that number the labels, the first that is there counts.
        background: labels of frames that belong to no step.
        skip: endings of names in ``groundTruth/`` that are no labels of frames.
    """

    title: str
    activity: ActivityFrom = "auto"
    mappings: tuple[str, ...] = ("mapping/mapping.txt", "mapping.txt")
    background: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


FOLDER = SequenceLayout("a folder of features")
"""A folder without a name."""

LAYOUTS: Mapping[str, SequenceLayout] = {
    "breakfast": SequenceLayout("Breakfast", "name"),
    "50salads": SequenceLayout("50 Salads", "none"),
    "50salads-eval": SequenceLayout("50 Salads, eval", "none", ("mapping/mappingeval.txt", "mappingeval.txt")),
    "yti": SequenceLayout(
        "YouTube Instructions", "name-before-number", background=("background", "SIL", "-1"), skip=("_idt",)
    ),
    "desktop-assembly": SequenceLayout("Desktop Assembly", "none"),
}
"""The known data sets by the names that a user gives."""


def named_layout(data: str | Path) -> tuple[SequenceLayout, Path]:
    """The layout and the folder that ``NAME:PATH``, or a folder's own path, names.

    Raises:
        UsageError: there is no layout of that name.
    """
    name, colon, place = str(data).partition(":")
    if Path(data).exists() or not colon or len(name) < 2:
        return FOLDER, Path(data)
    if name.lower() not in LAYOUTS:
        raise UsageError(
            f"There is no layout '{name}' of features.",
            f"The known data sets are: {', '.join(LAYOUTS)}. Of any other, give the folder itself.",
        )
    if not place:
        raise UsageError(f"'{data}' names no folder.", f"Write {name}:PATH.")
    return LAYOUTS[name.lower()], Path(place).expanduser()
