"""``tracklets.csv``: a row a frame, or a row a tracklet with all its files or its array of features."""

from __future__ import annotations

import itertools
import math
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from kinema.core.errors import DataError
from kinema.core.labelling import LabelReading, Names
from kinema.core.splits import read_split, tidy
from kinema.data.documents.walking import files_below
from kinema.data.tracklets.drafts import Draft, Shot, claims_frames, numbers_of
from kinema.data.tracklets.market import frame_of
from kinema.data.tracklets.table import Box, Kind, Role
from kinema.data.video.files import claims_video
from kinema.data.written import TableRow, read_table

LISTING = "tracklets.csv"
_BOX = ("left", "top", "width", "height")
_SAME = ("split", "role", "kind", "fps", "source")
_OWN = ("path", "identity", "camera", "tracklet", "frame", *_BOX, *_SAME)
_KNOWN = (*_OWN, "files", "person")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?/")
_HINT = (
    "A row a frame has the columns path, identity and camera, and may have tracklet, frame, left, top, width, height, "
    "split, role and fps; a row a tracklet has identity, camera and files, separated by spaces."
)


def read_listing(file: Path) -> tuple[list[Draft], LabelReading]:
    """The tracklets that a table names.

    Args:
        file: the table; paths in it are relative to its folder.

    Returns:
        The tracklets, no file of which was opened; and how the table was read.

    Raises:
        DataError: a column is missing, a value is none that its column holds, a path leaves the folder or is there
            twice, or rows of a tracklet contradict each other; the message gives the line.
    """
    table = read_table(file, (), _KNOWN, hint=_HINT)
    columns = set(table.columns)
    whole = "files" in columns and "path" not in columns
    person = "identity" if "identity" in columns else "person"
    for name in ("files" if whole else "path", person, "camera"):
        if name not in columns:
            wanted = "identity" if name == "person" else name
            listed = ", ".join(filter(None, table.columns)) or "none"
            raise DataError(f"'{file}' has no column '{wanted}' among: {listed}.", _HINT)
    if not table.rows:
        raise DataError(f"'{file}' names no tracklet: it has no row below its head.", _HINT)
    partly = [name for name in _BOX if name in columns]
    if partly and len(partly) < len(_BOX):
        missing = ", ".join(name for name in _BOX if name not in columns)
        raise DataError(f"'{file}' has a box's {', '.join(partly)} and not its {missing}.", _HINT)
    reader = _Reader(file, person)
    drafts = reader.whole(table.rows) if whole else reader.frames(table.rows)
    reading = LabelReading(
        origin="table",
        noun="files",
        table=file.name,
        encoding=table.encoding,
        guessed=table.guessed,
        separator=table.separator,
        rows=len(table.rows),
        nameless=table.nameless,
        unlisted=Names.of(reader.unlisted()),
    )
    return drafts, reading


class _Reader:
    """The rows of one table, and the files beside it."""

    def __init__(self, file: Path, person: str) -> None:
        self._file, self._person, self._root = file, person, file.parent.resolve()
        below, self._closed = files_below(self._root)
        self._below: dict[str, str] = {}
        for path in below:
            self._below.setdefault(tidy(path), path)
        self._named: set[str] = set()

    def unlisted(self) -> list[str]:
        """Files of frames that no row names."""
        return [path for path in self._below.values() if path not in self._named and claims_frames(path)]

    def frames(self, rows: Sequence[TableRow]) -> list[Draft]:
        """A row a frame."""
        groups: dict[tuple[str, str, str], list[TableRow]] = {}
        for row in rows:
            key = (row.values[self._person], row.values["camera"], row.values.get("tracklet", ""))
            groups.setdefault(key, []).append(row)
        return [self._tracklet(key, group) for key, group in groups.items()]

    def whole(self, rows: Sequence[TableRow]) -> list[Draft]:
        """A row a tracklet."""
        drafts = []
        for place, row in enumerate(rows):
            files = row.values["files"].split()
            key = (row.values[self._person], row.values["camera"], row.values.get("tracklet", "") or str(place))
            draft = self._about(key, [row], {"files", "n"})
            where = [self._found(row, each, ("", "images/")) for each in files]
            twice = next((each for place, each in enumerate(files) if each in files[:place]), None)
            if twice is not None:
                raise self._error(row, "files", f"'{twice}' stands there twice")
            frames = [frame_of(each) for each in files]
            numbers = numbers_of(files) if None in frames else [frame or 0 for frame in frames]
            if any(a > b for a, b in itertools.pairwise(numbers)):
                numbers = list(range(len(files)))  # the table says the order
            draft.shots = [Shot(path, number, why=why) for (path, why), number in zip(where, numbers, strict=True)]
            drafts.append(draft)
        return drafts

    def _tracklet(self, key: tuple[str, str, str], rows: Sequence[TableRow]) -> Draft:
        draft = self._about(key, rows, set())
        numbers = self._numbers(rows)
        lines: dict[int, int] = {}
        files: dict[str, int] = {}
        for row, number in zip(rows, numbers, strict=True):
            path, why = self._found(row, row.values["path"], ("",))
            box, bad = self._box(row)
            draft.shots.append(Shot(path, number, box, why or bad))
            first = lines.setdefault(number, row.line)
            again = files.setdefault(path, row.line)
            if again != row.line and not claims_video(path):
                raise self._error(row, "path", f"'{path}' stands in line {again} already")
            if first != row.line:
                raise self._error(row, "frame", f"frame {number} of '{draft.name}' stands in line {first} already")
        return draft

    def _about(self, key: tuple[str, str, str], rows: Sequence[TableRow], without: set[str]) -> Draft:
        """What the rows of a tracklet say of it as a whole."""
        said = {name: self._same(key, rows, name) for name in _SAME}
        for name, kinds in (("role", ("", *get_args(Role))), ("kind", ("", *get_args(Kind)))):
            if said[name].casefold() not in kinds:
                shown = ", ".join(filter(None, kinds))
                raise self._error(rows[0], name, f"it is '{said[name]}', and none of: {shown}")
        first = rows[0].values
        others = [name for name in first if name not in {*_KNOWN, *without}]
        constant = {name: first[name] for name in others if all(row.values[name] == first[name] for row in rows)}
        return Draft(
            "/".join(filter(None, key)) or "tracklet",
            key[0],
            key[1],
            fps=self._fps(rows[0], said["fps"]),
            kind=cast(Kind, said["kind"].casefold() or "person"),
            role=cast(Role, said["role"].casefold()),
            source=said["source"],
            split=read_split(said["split"]),
            attributes={name: value for name, value in constant.items() if value},
        )

    def _same(self, key: tuple[str, str, str], rows: Sequence[TableRow], name: str) -> str:
        first = rows[0].values.get(name, "")
        for row in rows:
            if row.values.get(name, "") != first:
                raise self._error(
                    row, name, f"'{'/'.join(key)}' has '{row.values[name]}' here and '{first}' in line {rows[0].line}"
                )
        return first

    def _fps(self, row: TableRow, value: str) -> float:
        found = _number(value) if value else 0.0
        if found is None or not 0 <= found < math.inf:
            raise self._error(row, "fps", f"'{value}' is no number of frames a second")
        return found

    def _numbers(self, rows: Sequence[TableRow]) -> list[int]:
        """The numbers of the rows' frames; their order where there are none."""
        given = [row.values.get("frame", "") for row in rows]
        if not any(given):
            return list(range(len(rows)))
        found = []
        for row, value in zip(rows, given, strict=True):
            number = _number(value)
            if number is None or number != number // 1 or not 0 <= number < 2**53:
                raise self._error(row, "frame", f"'{value}' is no number of a frame, 0 or more")
            found.append(int(number))
        return found

    def _box(self, row: TableRow) -> tuple[Box | None, str]:
        """The box of a row, None without one; and why it is none that can be used."""
        given = [row.values.get(name, "") for name in _BOX]
        if not any(given):
            return None, ""
        found = [_number(value) for value in given]
        for name, value, number in zip(_BOX, given, found, strict=True):
            if number is None:
                raise self._error(row, name, f"'{value}' is no number")
        box = cast(Box, tuple(found))
        return box, why_no_box(box)

    def _found(self, row: TableRow, path: str, places: Sequence[str]) -> tuple[str, str]:
        """The file that a row names, below the root; and why it cannot be read."""
        name = tidy(path.replace("\\", "/"))
        if not name:
            raise self._error(row, "path" if "path" in row.values else "files", "it is empty")
        if _ABSOLUTE.match(name):
            start = tidy(self._root.as_posix()) + "/"
            name = name.removeprefix(start) if name.startswith(start) else f"../{name}"
        name = posixpath.normpath(name)
        if name.startswith("../") or name == "..":
            raise DataError(
                f"'{self._file}', line {row.line}: '{path}' lies outside of the table's folder.",
                "Paths are relative to the folder of the table, and stay in it.",
            )
        for place in places:
            there = self._below.get(place + name)
            if there is not None:
                self._named.add(there)
                return there, "" if claims_frames(there) else "it is no picture, video or array (.npy)"
        return name, self._closed.get(name, "it is not there")

    def _error(self, row: TableRow, column: str, what: str) -> DataError:
        return DataError(
            f"'{self._file}', line {row.line}, column '{column}': {what}.", "Mend the line, or take it out."
        )


def why_no_box(box: Box) -> str:
    """Why a box cannot be used; empty where it can."""
    if not all(map(math.isfinite, box)):
        return f"its box {box} holds no finite numbers"
    if box[2] <= 0 or box[3] <= 0:
        return f"its box {box} is empty"
    return ""


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
