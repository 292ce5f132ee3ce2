"""The folder of a data set, walked once: the videos in it, and the lists beside them, read strictly."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.data.video.files import claims_video, pattern_of
from kinema.data.video.finding import overlooked, unlisted
from kinema.data.walking import walk
from kinema.data.written import read_table, read_written

log = logging.getLogger(__name__)

_LISTS = (".csv", ".json", ".txt")


class Tree:
    """What is below a folder, in all depths, without hidden files and folders.

    Args:
        root: the folder.
        title: of the data set, for errors.
        shape: how the folder must look, for errors.
        pictures: whether the videos are folders of numbered pictures, not files.

    Raises:
        DataError: there is no such folder.
    """

    def __init__(self, root: Path, title: str = "the data set", shape: str = "", *, pictures: bool = False) -> None:
        if not root.is_dir():
            raise DataError(f"There is no folder '{root}'.", f"Give the folder that holds {title}. {shape}".strip())
        self.root = root
        self.title = title
        self.shape = shape
        self.videos: list[str] = []
        """Paths below the root, with forward slashes, sorted; a folder of pictures by its pattern."""
        found = walk(root)
        paths = [*found.files, *(path for path in found.dangling if claims_video(path))]
        self._lists = [path for path in found.files if path.lower().endswith(_LISTS)]
        shown = set(self._lists)
        if pictures:
            patterns: dict[str, set[str]] = {}
            for path in paths:
                below, _, name = path.rpartition("/")
                if pattern := pattern_of(name):
                    patterns.setdefault(f"{below}/" if below else "", set()).add(pattern)
                    shown.add(path)
            self.videos = [below + min(each) for below, each in patterns.items()]
        else:
            self.videos = [path for path in paths if claims_video(path)]
        self.overlooked = overlooked(found, shown.union(self.videos))
        """What was not looked at."""
        self.videos.sort()

    def lists(self, pattern: str) -> dict[str, Path]:
        """Lists whose whole name matches a regular expression, by its first group, the nearest to the root of each.

        Raises:
            DataError: two of one kind lie equally near, so that either could be meant.
        """
        found: dict[str, list[str]] = {}
        for path in sorted(self._lists, key=lambda path: (path.count("/"), path)):
            match = re.fullmatch(pattern, path.rsplit("/", 1)[-1])
            if match:
                found.setdefault(match[1], []).append(path)
        for paths in found.values():
            if len(paths) > 1 and paths[0].count("/") == paths[1].count("/"):
                raise DataError(
                    f"'{self.root}' holds both '{paths[0]}' and '{paths[1]}'; either could be the list that is meant.",
                    "Keep one of the two.",
                )
        return {kind: self.root / paths[0] for kind, paths in found.items()}

    def list_of(self, name: str) -> Path:
        """The list of a name.

        Raises:
            DataError: there is none.
        """
        found = self.lists(f"({re.escape(name)})")
        if not found:
            raise self.lacks(f"'{name}'")
        return found[name]

    def lacks(self, what: str) -> DataError:
        """The error that a list is not there."""
        closed = unlisted(self.overlooked)
        return DataError(
            f"There is no {what} in '{self.root}' or the folders in it{f'; {closed}' if closed else ''}.", self.shape
        )


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a list that are not empty, with their numbers.

    Raises:
        DataError: it cannot be read.
    """
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def rows(path: Path, needed: Sequence[str], known: Sequence[str] = ()) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a table with a head, with the numbers of their lines; read as :func:`read_table` does.

    Raises:
        DataError: it cannot be read, lacks a column that is needed, or a row has too few or too many values.
    """
    table = read_table(path, needed, known, hint=f"The official file has the columns {', '.join(needed)}.")
    if table.guessed:
        _warn_of_guess(path, table.encoding)
    for row in table.rows:
        yield row.line, row.values


def semicolons(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a list without a head whose values are parted by semicolons.

    Raises:
        DataError: it cannot be read, or a row has another number of columns or an empty one.
    """
    for number, line in lines(path):
        values = [value.strip() for value in line.split(";")]
        if len(values) != len(columns):
            raise DataError(
                f"'{path}', line {number}: it has {len(values)} columns, not {len(columns)} ({';'.join(columns)}).",
                "Take the list as it was published.",
            )
        for column, value in zip(columns, values, strict=True):
            if not value:
                raise DataError(f"'{path}', line {number}, column '{column}': it is empty.")
        yield number, values


def json_of(path: Path, kind: type) -> Any:
    """A JSON file's content, which must be of a type.

    Raises:
        DataError: it cannot be read, with line and column; or is of another type.
    """
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"'{path}', line {error.lineno}, column {error.colno}: {error.msg}.", "It must be JSON."
        ) from error
    if not isinstance(content, kind):
        raise DataError(f"'{path}': it holds a {type(content).__name__}, not a {kind.__name__}.")
    return content


def objects(path: Path, needed: Mapping[str, type]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON list, numbered from 1, each with the values that are needed.

    Raises:
        DataError: it cannot be read, or an object lacks a value or has one of another type; names its number.
    """
    for number, item in enumerate(json_of(path, list), 1):
        for key, kind in needed.items():
            value = item.get(key) if isinstance(item, dict) else None
            if not isinstance(value, kind) or isinstance(value, bool):
                raise DataError(
                    f"'{path}', entry {number}, '{key}': it is {json.dumps(value)}, not a {kind.__name__}.",
                    f"Each entry must have {', '.join(needed)}.",
                )
        yield number, item


def _text(path: Path) -> str:
    written = read_written(path)
    if written.guessed:
        _warn_of_guess(path, written.encoding)
    return "\n".join(re.split(r"\r\n?|\n", written.text))


def _warn_of_guess(path: Path, encoding: str) -> None:
    log.warning("'%s' is not UTF-8 and was read as %s; check the names with accents in it.", path, encoding)
