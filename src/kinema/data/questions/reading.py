"""A questions.jsonl, a folder with one, or a known data set as questions: what is there, and what is held out."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kinema.core.errors import DataError, UsageError
from kinema.core.seeds import seed_at
from kinema.data.questions.checking import checked
from kinema.data.questions.listing import LISTING, read_listing
from kinema.data.questions.table import Questions

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

FORMS = (
    f"Questions are a {LISTING}, a folder with one, or a known data set as NAME:PATH: an object a line, with id, "
    "video, question, options and answer; beside it subtitles/VIDEO.srt, .vtt or .json, and features/VIDEO.npy."
)


def read_questions(
    data: str | Path,
    *,
    held_out: float = 0.25,
    split: int = 0,
    folds: int = 0,
    fold: int = 0,
    rate: float = 0.0,
    progress: Progress | None = None,
) -> Questions:
    """Reads the questions of a table, of a folder with one, or of a known data set, and what belongs to each video.

    Args:
        data: a ``questions.jsonl``, a folder with one, or a known data set as NAME:PATH.
        held_out: the share of groups that are held out for measurement, from 0 to below 1, where the data do not say
            which and there are no folds.
        split: which draw of them, and of the folds.
        folds: into how many parts the groups are drawn; the data's own splits are passed over then. 0 for none.
        fold: which of them is measured on, from 0.
        rate: frames of the features a second, where the data do not say it; 0 for not known.
        progress: is called with (videos done, videos).

    Raises:
        DataError: nothing is there, or it is no set of questions; the message says what is there.
        UsageError: there is no data set of that name.
    """
    named, place = layout_of(data)
    if not place.exists():
        raise DataError(f"'{place}' is not there.", FORMS)
    if named:
        from kinema.data.questions.layouts import read_layout

        draft = read_layout(named, place)
    else:
        draft = read_listing(_listing(place))
    found = checked(draft, rate, progress)
    return _folded(found, folds, fold, split) if folds else _with_splits(found, held_out, split)


def layout_of(data: str | Path) -> tuple[str, Path]:
    """The layout and the folder that NAME:PATH, or a path by itself ('' as its layout), names.

    Args:
        data: what a user names.

    Raises:
        UsageError: there is no layout of that name, or no folder is named.
    """
    name, colon, place = str(data).partition(":")
    if Path(data).exists() or not colon or len(name) < 2 or "/" in name:
        return "", Path(data)
    from kinema.data.questions.layouts import LAYOUTS

    if name.lower() not in LAYOUTS:
        raise UsageError(
            f"There is no layout '{name}' of questions.",
            f"The known data sets are: {', '.join(LAYOUTS)}. Of any other, give the folder or the table itself.",
        )
    if not place:
        raise UsageError(f"'{data}' names no folder.", f"Write {name}:PATH.")
    return name.lower(), Path(place).expanduser()


def questions_in(data: str | Path) -> str:
    """In which form data say that they are questions: the name of a table, or of a known set; '' for in none.

    Args:
        data: what a user names; it need not be there.
    """
    place = Path(data)
    if place.is_dir():
        return LISTING if (place / LISTING).is_file() else ""
    if place.exists():
        return place.name if place.name.lower() == LISTING else ""
    from kinema.data.questions.layouts import LAYOUTS

    name, colon, _ = str(data).partition(":")
    return name.lower() if colon and name.lower() in LAYOUTS else ""


def _listing(place: Path) -> Path:
    if place.is_dir():
        if not (place / LISTING).is_file():
            there = sorted(path.name for path in place.iterdir())
            shown = f"it holds {', '.join(there[:5])}" if there else "it is empty"
            raise DataError(f"There is no {LISTING} in '{place}': {shown}.", FORMS)
        return place / LISTING
    if place.suffix.lower() != ".jsonl":
        raise DataError(f"'{place}' is a file, and no table of questions.", FORMS)
    return place


def _with_splits(table: Questions, held_out: float, split: int) -> Questions:
    """The table with its splits: the data's own; else by group, some of which are held out."""
    if any(row.split for row in table.rows):
        return replace(table, split_from="data")
    groups = sorted({row.group for row in table.rows})
    learnt = math.ceil(round((1 - held_out) * len(groups), 6))
    if learnt == len(groups) or not learnt:
        if held_out:
            log.warning("Of %d groups of questions none is held out for measurement.", len(groups))
        return table
    chosen = set(sorted(groups, key=lambda group: seed_at(split, "groups", group))[:learnt])
    found = _assigned(table, {group: "train" if group in chosen else "test" for group in groups})
    log.info(
        "%d of %d groups are held out for measurement (draw %d): %d questions to learn from, %d to measure on.",
        len(groups) - learnt,
        len(groups),
        split,
        sum(row.split == "train" for row in found.rows),
        sum(row.split == "test" for row in found.rows),
    )
    return replace(found, split_from="drawn")


def _folded(table: Questions, folds: int, fold: int, split: int) -> Questions:
    """The table with one fold of its groups as 'test' and the others as 'train'."""
    sizes = Counter(row.group for row in table.rows)
    groups = sorted(sizes, key=lambda group: seed_at(split, "folds", group))
    if len(groups) < folds:
        raise DataError(
            f"There are {len(groups)} groups of questions, and {folds} folds were asked for.", "Ask for fewer folds."
        )
    held, parts = [0] * folds, {}
    for group in groups:  # each to the fold that has the fewest questions so far
        place = held.index(min(held))
        held[place] += sizes[group]
        parts[group] = "test" if place == fold else "train"
    found = _assigned(table, parts)
    log.info(
        "Fold %d of %d (draw %d, by group): %d questions to learn from, %d to measure on%s.",
        fold,
        folds,
        split,
        sum(row.split == "train" for row in found.rows),
        sum(row.split == "test" for row in found.rows),
        "; the splits of the data are passed over" if any(row.split for row in table.rows) else "",
    )
    return replace(found, split_from="folds")


def _assigned(table: Questions, splits: dict[str, str]) -> Questions:
    rows = tuple(replace(row, split=splits[row.group]) for row in table.rows)
    lost = tuple((replace(row, split=splits.get(row.group)), why) for row, why in table.lost)
    return replace(table, rows=rows, lost=lost)
