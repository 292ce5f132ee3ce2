"""Wikipedia of Rasiwasia et al. (2010): 2,866 sections of articles with a picture, in ten categories.

The features that were published with it (raw_features.mat: 128 visual words and 10 topics) are taken as stored vectors;
where the pictures, or the texts, lie beside them too, those are taken.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.data.matlab import matrices_in
from kinema.data.pairs.named import Files, warn_of_missing
from kinema.data.pairs.table import Pair
from kinema.data.subtitles import plain_text
from kinema.data.written import read_written

log = logging.getLogger(__name__)

CATEGORIES = (
    *("art", "biology", "geography", "history", "literature"),
    *("media", "music", "royalty", "sport", "warfare"),
)
"""The categories 1 to 10."""

_FEATURES = "raw_features.mat"
_PARTS = {"train": ("trainset_txt_img_cat.list", "tr"), "test": ("testset_txt_img_cat.list", "te")}
_EXPECTED = (
    f"trainset_txt_img_cat.list and testset_txt_img_cat.list, and {_FEATURES} with I_tr, T_tr, I_te and T_te, or "
    "pictures and texts (images/art/*.jpg, texts/*.xml)"
)
_BODY = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL | re.IGNORECASE)


def wikipedia_rows(root: Path) -> tuple[Pair, ...]:
    """The pairs of the Wikipedia set, with its official split; a source is the article that a section is of.

    Args:
        root: the folder.

    Raises:
        DataError: a list is missing or malformed, or neither features nor files of it are there.
    """
    files = Files.of(root, "Wikipedia set", _EXPECTED)
    features = files.named(_FEATURES)
    shapes = matrices_in(files.root / features) if features else {}
    texts = {PurePosixPath(path).stem: path for path in files.ending(".xml")}
    listed = {part: _listed(files, name) for part, (name, _) in _PARTS.items()}
    all_rows = [each for rows in listed.values() for each in rows]
    pictured = any(files.picture(f"{picture}.jpg") for _, picture, _ in all_rows)
    written = any(text in texts for text, _, _ in all_rows)
    if pictured:
        gone = [picture for _, picture, _ in all_rows if not files.picture(f"{picture}.jpg")]
        warn_of_missing(files, gone, len(all_rows), "pictures")
    if written:
        warn_of_missing(files, [text for text, _, _ in all_rows if text not in texts], len(all_rows), "texts")
    rows = []
    for part, (_, end) in _PARTS.items():
        for view, here in (("I", pictured), ("T", written)):
            if not here:
                _check(files, features, shapes, f"{view}_{end}", len(listed[part]))
        for number, (text, picture, category) in enumerate(listed[part]):
            rows.append(
                Pair(
                    text,
                    (files.picture(f"{picture}.jpg") or f"{picture}.jpg")
                    if pictured
                    else f"{features}:I_{end}[{number}]",
                    text=(_text(files.root / texts[text]) if text in texts else "")
                    if written
                    else f"{features}:T_{end}[{number}]",
                    labels=(CATEGORIES[category - 1],),
                    source=text.partition("-")[0],
                    split=part,
                )
            )
    return tuple(rows)


def _listed(files: Files, name: str) -> list[tuple[str, str, int]]:
    """(text, picture, category) of each line."""
    path = files.named(name)
    if path is None:
        raise files.missing()
    found = []
    for number, line in enumerate(files.lines(path), 1):
        cells = line.split("\t")
        right = len(cells) == 3 and cells[2].isascii() and cells[2].isdigit()
        if not right or not 1 <= int(cells[2]) <= len(CATEGORIES):
            raise DataError(
                f"'{files.root / path}', line {number}: a text, a picture and a category from 1 to {len(CATEGORIES)} "
                f"were expected: '{line[:80]}'."
            )
        found.append((cells[0], cells[1], int(cells[2])))
    return found


def _check(files: Files, features: str | None, shapes: dict[str, tuple[int, ...]], name: str, rows: int) -> None:
    """Refuses features that are not those of a list."""
    if features is None:
        raise files.missing()
    found = shapes.get(name)
    if found is None or len(found) != 2 or found[0] != rows:
        has = f"it has {', '.join(f'{each} {list(shape)}' for each, shape in shapes.items())}"
        raise DataError(f"'{files.root / features}' has no '{name}' of {rows} rows, as the list has: {has}.", _EXPECTED)


def _text(path: Path) -> str:
    """The words of a section: what stands between <text> and </text>, or all where there is no such mark."""
    written = read_written(path).text
    body = _BODY.search(written)
    return plain_text([body[1] if body else written])
