"""``labels.csv``, the list beside the files that says what they are; and class folders, where it says no labels.

It lies at the root of a folder and has a column ``path``, relative to the folder or absolute, and may have ``label``,
``source`` and ``split``; every further column is an attribute of that name. It may be separated by commas, semicolons
or tabs, in any usual encoding (:mod:`kinema.data.written`). Where it gives no labels, the class is the name of the
folder that a file lies in, if the files lie exactly one folder deep; a few that lie elsewhere have no class then.
Otherwise the files have no labels.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.core.labelling import LabelReading, Names
from kinema.core.splits import part_of, read_split, tidy
from kinema.data.written import TableRow, WrittenTable, read_table

log = logging.getLogger(__name__)

LABELS = "labels.csv"
_OWN = ("path", "label", "source", "split")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?/")
_FEW = 10
"""Files that lie beside class folders are few if they are not more than one, or than one in so many."""


@dataclass(frozen=True)
class Labelled:
    """What a folder says of one of its files.

    Args:
        label: the class, or None.
        source: what it was cut from, or None.
        split: 'train', 'val' or 'test', another value as it is written, or None.
        attributes: the further columns, by name.
    """

    label: str | None = None
    source: str | None = None
    split: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


def read_labels(
    root: Path,
    paths: Collection[str],
    *,
    noun: str,
    claims: Callable[[str], bool],
    strict: bool = True,
    hidden: Callable[[str], bool] | None = None,
) -> tuple[dict[str, Labelled], LabelReading]:
    """What ``labels.csv`` or, without labels in it, class folders say of files.

    Rows that name a file which is there but is not one of ``paths`` are named in a warning.

    Args:
        root: the folder.
        paths: the files found below it, with forward slashes.
        noun: what a file is called in messages, for instance 'document'.
        claims: whether a file's name ends like that of one.
        strict: whether a row that names a file which is not there is an error; otherwise it is one only where no row
            names a file that is there.
        hidden: whether a path lies where nobody could look, so that its row says nothing false; None where all could be
            looked at.

    Returns:
        Something for each of ``paths``; and how it was read.

    Raises:
        DataError: ``labels.csv`` cannot be read, lacks ``path``, names a file twice or names files that are missing;
            the message gives line and column.
    """
    table = _Matched(root, paths, noun, claims, strict, hidden) if (root / LABELS).is_file() else None
    rows = table.rows if table is not None else {}
    labelled = any(row.get("label") for row in rows.values())
    deep, beside = class_folders(paths)
    folders = deep and not labelled
    found = {}
    for path in paths:
        row = rows.get(path, {})
        found[path] = Labelled(
            label=_folder_of(path) if folders else row.get("label") or None,
            source=row.get("source") or None,
            split=read_split(row.get("split")),
            attributes={key: value for key, value in row.items() if key not in _OWN},
        )
    origin = "table" if labelled else "folders" if folders else "none"
    why = "" if origin != "none" else f"{_why_not_table(table)}, and {_why_not_folders(paths)}."
    said = table.said if table is not None else LabelReading()
    reading = replace(said, origin=origin, noun=f"{noun}s", why=why, beside=Names.of(beside if folders else ()))
    return found, reading


def class_folders(paths: Collection[str]) -> tuple[bool, list[str]]:
    """Whether files lie in class folders, exactly one folder deep; and the few that do not.

    Args:
        paths: with forward slashes.
    """
    beside = [path for path in paths if not in_class_folder(path)]
    inside = len(paths) - len(beside)
    classes = {path.split("/")[0] for path in paths if in_class_folder(path)}
    few = len(beside) <= max(1, inside // _FEW) and inside >= 4 * len(beside) and len(classes) > 1
    return inside > 0 and (not beside or few), beside


def in_class_folder(path: str) -> bool:
    """Whether a file lies exactly one folder deep."""
    return len(PurePosixPath(path).parts) == 2


def _folder_of(path: str) -> str | None:
    """The class folder of a file, tidied; None for one beside them."""
    return tidy(PurePosixPath(path).parts[0]) or None if in_class_folder(path) else None


class _Matched:
    """``labels.csv``, and the files that its rows name.

    Args:
        root: the folder.
        paths: the files found below it.
        noun: what a file is called.
        claims: whether a file's name ends like that of one.
        strict: whether every row must name a file that is there.
        hidden: whether a path lies where nobody could look.

    Raises:
        DataError: as :func:`read_labels`.
    """

    def __init__(
        self,
        root: Path,
        paths: Collection[str],
        noun: str,
        claims: Callable[[str], bool],
        strict: bool,
        hidden: Callable[[str], bool] | None,
    ) -> None:
        self.path = root / LABELS
        self.noun = noun
        hint = f"Name the column that holds each {noun}'s path, relative to the folder, 'path'."
        self.table = table = read_table(self.path, ("path",), _OWN, hint=hint)
        self.rows: dict[str, Mapping[str, str]] = {}
        self._lines: dict[str, int] = {}
        left = self._match(root, paths)
        unseen = [row for row in left if hidden is not None and hidden(_slashed(row.values["path"]))]
        left = [row for row in left if hidden is None or not hidden(_slashed(row.values["path"]))]
        gone = [row for row in left if not _is_there(root, row)]
        foreign = [row for row in left if _is_there(root, row) and not claims(_slashed(row.values["path"]))]
        nothing = bool(gone) and not self.rows and len(gone) == len(table.rows)
        if gone and (strict or nothing):
            raise self._not_there(gone)
        if foreign:
            self._warn_of_foreign(foreign)
        self.said = LabelReading(
            table=LABELS,
            encoding=table.encoding,
            guessed=table.guessed,
            separator=table.separator,
            rows=len(table.rows),
            unmatched=Names.of(_named(gone)),
            held_out=sum(part_of(row.values.get("split")) in ("val", "test") for row in gone),
            unseen=Names.of(_named(unseen)),
            passed_over=Names.of(_named(foreign)),
            unlisted=Names.of(path for path in paths if path not in self.rows),
            rewritten=Names.of(self._rewritten),
            nameless=table.nameless,
        )

    def _match(self, root: Path, paths: Collection[str]) -> list[TableRow]:
        """Gives every row its file, by ever looser spellings; the rows that find none are left."""
        self._rewritten: list[str] = []
        self._check(self.table)
        left = self._claim(list(self.table.rows), paths, lambda row: row.raw["path"], str)
        left = self._claim(left, paths, lambda row: _slashed(row.values["path"]), tidy)
        strict = len(self.rows)
        below = _Below(root, left, set(map(tidy, paths)))
        for fold in (tidy, _ending_folded, str.casefold):
            left = self._claim(left, paths, partial(_folded_row, fold, below.path_of), partial(_folded_path, fold))
        self._rewritten = [path for number, path in enumerate(self.rows) if number >= strict]
        return left

    def _claim(
        self,
        rows: Sequence[TableRow],
        paths: Collection[str],
        spelt: Callable[[TableRow], str],
        folded: Callable[[str], str],
    ) -> list[TableRow]:
        """Gives rows the files of their spelling, where it is that of one file alone that no row had before."""
        files: dict[str, list[str]] = {}
        for path in paths:
            if path not in self.rows:
                files.setdefault(folded(path), []).append(path)
        left: list[TableRow] = []
        taken: dict[str, int] = {}
        for row in rows:
            name = spelt(row)
            if name in taken:
                self._twice(row, taken[name])
            if len(files.get(name, ())) != 1:
                left.append(row)
                continue
            taken[name] = row.line
            (path,) = files[name]
            self.rows[path] = row.values
            self._lines[path] = row.line
        return left

    def _check(self, table: WrittenTable) -> None:
        lines: dict[str, int] = {}
        for row in table.rows:
            name = _slashed(row.values["path"])
            if not row.values["path"]:
                raise DataError(f"'{self.path}', line {row.line}, column 'path': it is empty.")
            if name in lines:
                self._twice(row, lines[name])
            lines[name] = row.line

    def _twice(self, row: TableRow, line: int) -> None:
        raise DataError(
            f"'{self.path}', line {row.line}, column 'path': '{row.values['path']}' stands in line {line} already.",
            f"Keep one line a {self.noun}.",
        )

    def _not_there(self, gone: Sequence[TableRow]) -> DataError:
        count, of = len(gone), len(self.table.rows)
        if self.table.guessed and not self.rows:
            return DataError(
                f"'{self.path}' could not be read: it is not UTF-8 and, read as {self.table.encoding}, none of its "
                f"{of} rows names a file that is there: {_shown(gone)}.",
                "Save it as UTF-8.",
            )
        return DataError(
            f"'{self.path}', column 'path': {count} of {of} files are not there: {_shown(gone)}.",
            "Paths are relative to the folder, or absolute; take out the lines of files that are gone.",
        )

    def _warn_of_foreign(self, foreign: Sequence[TableRow]) -> None:
        log.warning(
            "'%s', column 'path': %d of %d files are passed over, for their names do not end like a %s's: %s. "
            "Rename them if they are %ss.",
            self.path,
            len(foreign),
            len(self.table.rows),
            self.noun,
            _shown(foreign),
            self.noun,
        )


class _Below:
    """Paths that are written from elsewhere, as paths below the folder.

    A path may be absolute, or begin with the folder's own name. Where the folder has moved since, absolute paths are
    those of the files that their ends name, if all such rows were below one and the same other folder.

    Args:
        root: the folder.
        rows: those whose paths name no file as they are.
        files: the files below the folder, tidied.
    """

    def __init__(self, root: Path, rows: Sequence[TableRow], files: Collection[str]) -> None:
        known = set(files)
        places = {root.as_posix(), root.absolute().as_posix(), root.resolve().as_posix()}
        parts = PurePosixPath(root.resolve().as_posix()).parts
        tails = ("/".join(parts[number:]) for number in range(len(parts) - 1, 0, -1))
        self._prefixes = [tidy(place).rstrip("/") + "/" for place in (*places, *tails) if place not in ("", ".")]
        moved = {prefix for row in rows if (prefix := self._elsewhere(_slashed(row.values["path"]), known))}
        if len(moved) == 1:
            self._prefixes += sorted(moved)

    def path_of(self, row: TableRow) -> str:
        """The path of a row below the folder, where it is one; otherwise as it is written."""
        name = _slashed(row.values["path"])
        for prefix in sorted(self._prefixes, key=len, reverse=True):
            if name.casefold().startswith(prefix.casefold()):
                return name[len(prefix) :]
        return name

    def _elsewhere(self, name: str, known: Collection[str]) -> str:
        """What stands before the end of an absolute path that is a file's path; empty where it is below the folder."""
        if not _ABSOLUTE.match(name) or any(name.casefold().startswith(each.casefold()) for each in self._prefixes):
            return ""
        parts = name.split("/")
        for number in range(1, len(parts)):
            if "/".join(parts[number:]) in known:
                return "/".join(parts[:number]) + "/"
        return ""


def _folded_row(fold: Callable[[str], str], path_of: Callable[[TableRow], str], row: TableRow) -> str:
    return fold(path_of(row))


def _folded_path(fold: Callable[[str], str], path: str) -> str:
    return fold(tidy(path))


def _slashed(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).as_posix()


def _ending_folded(path: str) -> str:
    """A path with its ending in small letters."""
    suffix = PurePosixPath(path).suffix
    return path[: len(path) - len(suffix)] + suffix.casefold()


def _is_there(root: Path, row: TableRow) -> bool:
    try:
        return (root / row.raw["path"]).is_file() or (root / _slashed(row.values["path"])).is_file()
    except (OSError, ValueError):  # no path at all: too long, or with a NUL
        return False


def _named(rows: Sequence[TableRow]) -> list[str]:
    return [f"{_slashed(row.values['path'])}" for row in rows]


def _shown(rows: Sequence[TableRow]) -> str:
    first = ", ".join(f"'{_slashed(row.values['path'])}' (line {row.line})" for row in rows[:5])
    return first + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


def _why_not_table(table: _Matched | None) -> str:
    if table is None:
        return f"There is no {LABELS}"
    if "label" not in table.table.columns:
        return f"{LABELS} has no column 'label' among: {', '.join(name for name in table.table.columns if name)}"
    if not table.rows:
        return f"No row of {LABELS} names a file that is there"
    return f"{LABELS} has no label for any of the {len(table.rows)} files that it names"


def _why_not_folders(paths: Collection[str]) -> str:
    beside = [path for path in paths if not in_class_folder(path)]
    if len(beside) == len(paths):
        return "no file lies in a class folder, exactly one folder deep"
    return (
        f"{len(beside)} of {len(paths)} files do not lie exactly one folder deep, in class folders: {Names.of(beside)}"
    )
