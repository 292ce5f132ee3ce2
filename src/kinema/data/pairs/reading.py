"""A table, a folder, a known data set, or videos with subtitles as pairs: what is there, and what is held out."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from kinema.core.errors import DataError, UsageError
from kinema.core.labelling import LabelReading
from kinema.core.reading import parse_json
from kinema.core.seeds import seed_at
from kinema.core.splits import tidy
from kinema.data.documents.walking import files_below
from kinema.data.labels import LABELS, read_labels
from kinema.data.pairs.checking import checked
from kinema.data.pairs.footage import match_subtitles, read_footage
from kinema.data.pairs.listing import JSONL, LISTING, labels_in, read_listing, read_records
from kinema.data.pairs.table import Pair, Pairs
from kinema.data.pictures import claims_picture
from kinema.data.subtitles import ENDINGS
from kinema.data.video.files import claims_video
from kinema.data.written import read_written

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Origin = Literal["data", "drawn", "none"]

TABLES = (".csv", ".tsv", ".txt")
SUBTITLES = ENDINGS
"""How the names of subtitles end."""
_TABLES = (LISTING, "pairs.tsv", f"pairs{JSONL}")
_CAPTIONED, _FOOTAGE = "pictures with texts", "videos with subtitles"
FORMS = (
    "Pairs are a pairs.csv or .jsonl (image, text, labels), a folder of pictures with texts of the same name "
    f"(cat.jpg, cat.txt), videos with subtitles of the same name ({', '.join(SUBTITLES)}), or a known data set as "
    "NAME:PATH."
)


def read_pairs(data: str | Path, *, held_out: float = 0.25, split: int = 0, progress: Progress | None = None) -> Pairs:
    """Reads the pairs of a table, of a folder, or of a known data set.

    Args:
        data: a ``pairs.csv``, a ``.jsonl``, or a folder with one; a folder of pictures with texts of the same name; a
            folder of videos with subtitles; or a known data set as NAME:PATH.
        held_out: the share of sources that are held out for measurement, from 0 to below 1, where the data do not say
            which.
        split: which draw of them.
        progress: is called with (files done, files).

    Raises:
        DataError: nothing is there, or nothing there is a pair that can be read; the message says what is there.
        UsageError: there is no data set of that name.
    """
    named, place = _layout(data)
    if not place.exists():
        raise DataError(f"'{place}' is not there.", FORMS)
    reading: LabelReading | None = None
    if named:
        from kinema.data.pairs.layouts import read_layout

        root, rows = place.resolve(), read_layout(named, place)
    elif place.is_file():
        root, rows, reading = _table(place)
    else:
        root, rows, reading = _folder(place)
    found = checked(rows, root, progress)
    found, origin = _with_splits(found, held_out, split)
    return Pairs(root, found, origin, reading)


def _layout(data: str | Path) -> tuple[str, Path]:
    """The layout and the folder that NAME:PATH, or a path by itself ('' as its layout), names."""
    name, colon, place = str(data).partition(":")
    if Path(data).exists() or not colon or len(name) < 2 or "/" in name:
        return "", Path(data)
    from kinema.data.pairs.layouts import LAYOUTS

    if name.lower() not in LAYOUTS:
        raise UsageError(
            f"There is no layout '{name}' of pairs.",
            f"The known data sets are: {', '.join(LAYOUTS)}. Of any other, give the folder or the table itself.",
        )
    if not place:
        raise UsageError(f"'{data}' names no folder.", f"Write {name}:PATH.")
    return name.lower(), Path(place).expanduser()


def _table(file: Path) -> tuple[Path, Sequence[Pair], LabelReading | None]:
    root = file.parent.resolve()
    if file.suffix.lower() == JSONL:
        return root, read_records(file), None
    if file.suffix.lower() in TABLES:
        return (root, *read_listing(file))
    raise DataError(f"'{file}' is a file, and no table of pairs.", FORMS)


def _folder(place: Path) -> tuple[Path, Sequence[Pair], LabelReading | None]:
    """The pairs of a folder, in the first of the forms that are there."""
    root = place.resolve()
    below, closed = files_below(root)
    if "." in closed:
        raise DataError(f"'{place}' cannot be listed: {closed['.']}.", "Its rights do not let you look into it.")
    forms = _forms(place, below)
    if len(forms) > 1:
        log.warning("'%s' holds %s; the pairs are read from %s.", place, " and ".join(forms), forms[0])
    first = forms[0] if forms else ""
    if first in _TABLES:
        return _table(place / first)
    if first == _CAPTIONED:
        return (root, *_pictures_with_texts(root, below))
    if first == _FOOTAGE:
        return root, read_footage(root), None
    there = ", ".join(
        f"{count} {what}"
        for count, what in (
            (sum(map(claims_picture, below)), "pictures"),
            (sum(map(claims_video, below)), "videos"),
            (sum(path.lower().endswith(".txt") for path in below), "texts"),
        )
        if count
    )
    shown = (
        f"it holds {there}, and none has another of the same name" if there else f"it holds {len(below)} other files"
    )
    raise DataError(f"There are no pairs in '{place}': {shown if below else 'it is empty'}.", FORMS)


def _forms(place: Path, below: Sequence[str]) -> list[str]:
    """In which forms a folder holds pairs: the names of tables, then what of its files belongs together."""
    tables = [name for name in _TABLES if (place / name).is_file()]
    captioned = any(len(kinds) == 2 for kinds in _by_stem(below).values())
    return [*tables, *[_CAPTIONED] * captioned, *[_FOOTAGE] * bool(match_subtitles(below).subtitles)]


def pairs_in(data: str | Path) -> tuple[bool, str]:
    """Whether data say that they are pairs, and in which form they are or could be read as such; '' for in none.

    A known data set of pairs, a table of that name, and a table with a column ``image`` say so. Pictures with texts and
    videos with subtitles are pairs for those who ask for them.

    Args:
        data: what a user names; it need not be there.
    """
    place = Path(data)
    if not place.exists():
        from kinema.data.pairs.layouts import LAYOUTS

        name = str(data).partition(":")[0].lower()
        return (True, name) if ":" in str(data) and name in LAYOUTS else (False, "")
    if place.is_file():
        says = place.name.lower() in _TABLES or "image" in _columns(place)
        return says, place.name if says else ""
    forms = _forms(place, files_below(place)[0])
    return bool(forms) and forms[0] in _TABLES, forms[0] if forms else ""


def _columns(file: Path) -> set[str]:
    """The columns that the first line of a table names; none of what is no table."""
    if file.suffix.lower() not in (".csv", ".tsv", JSONL):
        return set()
    try:
        first = next(filter(None, map(str.strip, read_written(file).text.split("\n"))), "")
        if file.suffix.lower() == JSONL:
            record = parse_json(first)
            return set(map(tidy, record)) if isinstance(record, dict) else set()
    except (DataError, ValueError):
        return set()
    return {tidy(cell.strip().strip('"')).lower() for cell in re.split("[,;\t]", first)}


def _by_stem(paths: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Pictures and texts by their path without the ending: 'picture' and 'text', each a list of paths."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        stem = str(PurePosixPath(path).with_suffix(""))
        kind = "picture" if claims_picture(path) else "text" if path.lower().endswith(".txt") else ""
        if kind:
            found.setdefault(stem, {}).setdefault(kind, []).append(path)
    return found


def _pictures_with_texts(root: Path, below: Sequence[str]) -> tuple[list[Pair], LabelReading]:
    """A pair a picture, with the text of the same name; labels from ``labels.csv`` or class folders."""
    stems = _by_stem(below)
    pictures = [path for kinds in stems.values() for path in kinds.get("picture", ())]
    said, reading = read_labels(root, pictures, noun="picture", claims=claims_picture)
    rows = []
    for stem, kinds in sorted(stems.items()):
        files, texts = kinds.get("picture", []), kinds.get("text", [])
        if len(files) > 1 or len(texts) > 1:
            named = ", ".join(f"'{path}'" for path in files + texts)
            raise DataError(
                f"More than one picture or text in '{root}' is called '{stem}': {named}.",
                "Give each a name of its own.",
            )
        text, why = _text(root / texts[0]) if texts else ("", "")
        broken = {"text": why} if why else {}
        if not files:
            rows.append(Pair(texts[0], text=text, health="unreadable" if why else "ok", reason=why, broken=broken))
            continue
        about = said[files[0]]
        more = dict(about.attributes)
        labels = labels_in(about.label or "") or labels_in(more.pop("labels", ""))
        health: Literal["ok", "unreadable"] = "unreadable" if why else "ok"
        rows.append(
            Pair(
                files[0],
                files[0],
                text=text,
                labels=labels,
                source=about.source or "",
                split=about.split,
                attributes=more,
                health=health,
                reason=why,
                broken=broken,
            )
        )
    if any(each.attributes.get("labels") for each in said.values()):
        reading = replace(reading, origin="table", table=LABELS, why="")
    return rows, reading


def _text(path: Path) -> tuple[str, str]:
    """The text of a file, and why it cannot be read."""
    try:
        return read_written(path).text, ""
    except DataError as error:
        return "", f"a broken text: '{path.name}', {error.message.partition(': ')[2].rstrip('.')}"


def _with_splits(rows: tuple[Pair, ...], held_out: float, split: int) -> tuple[tuple[Pair, ...], Origin]:
    """The rows with their split: the data's own; else by source, some of which are held out."""
    if any(row.split for row in rows):
        return rows, "data"
    sources = sorted({row.source for row in rows})
    learnt = math.ceil(round((1 - held_out) * len(sources), 6))
    if learnt == len(sources) or learnt < 2:
        if held_out:
            log.warning(
                "Of %d sources of pairs none is held out for measurement: two are needed to learn from.", len(sources)
            )
        return rows, "none"
    order = sorted(sources, key=lambda source: seed_at(split, "sources", source))
    chosen = set(order[:learnt])
    found = tuple(replace(row, split="train" if row.source in chosen else "test") for row in rows)
    log.info(
        "%d of %d sources are held out for measurement (draw %d): %d pairs to learn from, %d to measure on.",
        len(sources) - learnt,
        len(sources),
        split,
        sum(row.split == "train" for row in found),
        sum(row.split == "test" for row in found),
    )
    return found, "drawn"
