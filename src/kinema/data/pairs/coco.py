"""MS COCO: pictures with their captions, and the 80 kinds of things that are seen in them."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.core.reading import load_json, reason_of
from kinema.core.splits import part_of
from kinema.data.pairs.named import Files, warn_of_missing
from kinema.data.pairs.table import Pair

log = logging.getLogger(__name__)

LARGEST = 1 << 30
"""Bytes of a file of annotations, at most: that of the instances of 2017 has 450 MB."""

_EXPECTED = (
    "annotations/captions_train2017.json and instances_train2017.json, likewise of val2017 or of 2014, and pictures in "
    "train2017, val2017, at any depth"
)
_CAPTIONS = re.compile(r"(?:.*/)?captions_(train|val|test)(\w*)\.json", re.IGNORECASE)


def coco_rows(root: Path) -> tuple[Pair, ...]:
    """The pairs of COCO: a pair a picture, whose text is its captions one after another.

    Labels are the categories of the things that are marked in it; pictures without any have none. The split is that of
    the files' names.

    Args:
        root: the folder.

    Raises:
        DataError: it holds no captions, or a file is malformed.
    """
    files = Files.of(root, "COCO", _EXPECTED)
    found = {path: match for path in files.paths if (match := _CAPTIONS.fullmatch(path))}
    if not found:
        raise files.missing()
    rows: list[Pair] = []
    gone: list[str] = []
    for path, match in found.items():
        part = f"{match[1]}{match[2]}"
        labels, held = _labels(files, path, part), _Held.read(files.root / path)
        captions = _captions(held)
        for number, name in _pictures(held).items():
            picture = files.picture(f"{part}/{name}")
            gone += [name] * (not picture)
            rows.append(
                Pair(
                    f"{part}/{name}",
                    picture or name,
                    text=" ".join(captions.get(number, ())),
                    labels=tuple(sorted(labels.get(number, ()))),
                    split=part_of(match[1]),
                )
            )
    warn_of_missing(files, gone, len(rows), "pictures")
    return tuple(rows)


@dataclass(frozen=True)
class _Held:
    """The content of a file of annotations."""

    path: Path
    content: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> _Held:
        try:
            content = load_json(path, LARGEST)
        except (OSError, ValueError) as error:
            raise DataError(f"'{path}' cannot be read: {reason_of(error)}.", _EXPECTED) from error
        if not isinstance(content, dict):
            raise DataError(f"'{path}' holds no object.", _EXPECTED)
        return cls(path, content)

    def records(self, key: str, **kinds: type) -> list[dict[str, Any]]:
        """The objects of a list, each with the named values of the named kinds."""
        found = self.content.get(key)
        if not isinstance(found, list):
            raise DataError(f"'{self.path}' holds no list '{key}'.", _EXPECTED)
        for number, each in enumerate(found):
            for name, kind in kinds.items():
                value = each.get(name) if isinstance(each, dict) else None
                if type(value) is not kind:
                    shown = repr(value)[:40]
                    raise DataError(f"'{self.path}', entry {number} of '{key}': '{name}' is {shown}.", _EXPECTED)
        return found


def _pictures(held: _Held) -> dict[int, str]:
    return {each["id"]: each["file_name"] for each in held.records("images", id=int, file_name=str)}


def _captions(held: _Held) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for each in held.records("annotations", image_id=int, caption=str):
        words = " ".join(each["caption"].split())
        if words:
            found.setdefault(each["image_id"], []).append(words)
    return found


def _labels(files: Files, captions: str, part: str) -> dict[int, set[str]]:
    """The categories in each picture, of the instances that belong to captions; none where there are no such."""
    path = files.named(f"instances_{part}.json")
    if path is None:
        log.warning(
            "COCO: there is no instances_%s.json as there is '%s'; its pictures have no labels.", part, captions
        )
        return {}
    held = _Held.read(files.root / path)
    names = {each["id"]: each["name"] for each in held.records("categories", id=int, name=str)}
    found: dict[int, set[str]] = {}
    for each in held.records("annotations", image_id=int, category_id=int):
        name = names.get(each["category_id"])
        if name is None:
            raise DataError(f"'{held.path}' marks something of category {each['category_id']}, which it lacks.")
        found.setdefault(each["image_id"], set()).add(name)
    return found
