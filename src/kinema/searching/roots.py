"""Where the videos of a table are now: a table holds paths below a folder, and that folder may have moved.

The folder is the one that the user gives; or the one of when they were embedded; or the one that lies where that lay,
seen from the table, so that an archive may move with its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError
from kinema.data.moving import way_to
from kinema.data.video.files import exists, status
from kinema.searching import database
from kinema.searching.changes import printable, root_of_table
from kinema.searching.layout import PAIRS, TRACKLETS, VIDEOS, Layout, layout_of, quoted

HERE = b"root_from_here"
_LOOKED_AT = 20


@dataclass(frozen=True)
class Home:
    """The folder of a table's videos or documents.

    Args:
        root: the folder.
        there: whether there is such a folder.
    """

    root: Path
    there: bool

    def require(self) -> Path:
        """The folder.

        Raises:
            DataError: there is no such folder.
        """
        if not self.there:
            raise DataError(
                f"The videos of this table were in '{self.root}', and there is no such folder now.",
                "If they have moved, say where they are with --videos FOLDER (videos=… in Python); "
                "or bring their disk or share back.",
            )
        return self.root

    def name_of(self, table: Any, file: Path) -> str | None:
        """What the table calls a file; None where it is none of the table's.

        Where the folder is not there, a file is known by the end of its path and its size.

        Args:
            table: of LanceDB.
            file: a video or a document.
        """
        real = file.resolve()
        if real.is_relative_to(self.root):
            return real.relative_to(self.root).as_posix()
        return None if self.there else _by_its_end(table, layout_of(table), real)


def metadata_of(root: str, uri: str) -> dict[str, str]:
    """What a table keeps of its folder: its path, and the way to it from the table, where both are on one disk.

    Args:
        root: the folder.
        uri: of the table.
    """
    metadata = {"root": printable(root)}
    folder = database.folder_of(uri)
    if folder is not None:
        metadata[HERE.decode()] = printable(way_to(Path(root), folder / database.TABLE))
    return metadata


def home_of(table: Any, uri: str, videos: str | Path | None = None) -> Home:
    """The folder of a table's videos or documents, as the module says.

    Args:
        table: of LanceDB.
        uri: where it is.
        videos: the folder, where the user gives it.

    Raises:
        DataError: there is no folder ``videos``, or it holds none of the table's videos.
    """
    if videos is not None:
        given = Path(videos).expanduser()
        if not given.is_dir():
            raise DataError(f"There is no folder '{videos}'.", "Give the folder that holds the table's videos now.")
        if layout_of(table) == VIDEOS and not _holds(table, given):
            raise DataError(
                f"'{videos}' holds none of the table's videos, for instance no '{_some(table)[0]}'.",
                f"Give the folder that stands for '{root_of_table(table)}' now.",
            )
        return Home(given.resolve(), there=True)
    recorded = root_of_table(table)
    if recorded.is_dir() and _holds(table, recorded):
        return Home(recorded, there=True)
    way = (table.schema.field(layout_of(table).whole).metadata or {}).get(HERE, b"").decode()
    folder = database.folder_of(uri)
    if way and folder is not None and _holds(table, folder.resolve() / way):
        return Home((folder.resolve() / way).resolve(), there=True)
    return Home(recorded, recorded.is_dir())


def _some(table: Any) -> list[str]:
    """Some of the files."""
    layout = layout_of(table)
    column = "file" if layout in (TRACKLETS, PAIRS) else layout.whole
    rows = table.search().where(layout.each).select([column]).limit(_LOOKED_AT).to_arrow()
    return [str(each) for each in rows[column].to_pylist()]


def _holds(table: Any, folder: Path) -> bool:
    """Whether a folder holds any of some of the table's files; a table without any says nothing against a folder."""
    some = _some(table)
    return not some or any(exists(folder / name) for name in some)


def _by_its_end(table: Any, layout: Layout, real: Path) -> str | None:
    """The longest end of a file's path that is a path in the table, of a file of this size."""
    parts = real.parts[1:]
    ends = ["/".join(parts[at:]) for at in range(len(parts))]
    ends = [end for end in ends if printable(end) == end]
    if not ends or not exists(real):
        return None
    sized = "size" in table.schema.names
    column = "file" if layout == PAIRS else layout.whole
    columns = [column, *(["size"] if sized else [])]
    ended = f"{column} IN ({', '.join(quoted(end) for end in ends)})"
    rows = table.search().where(f"{layout.each} AND {ended}").select(columns).to_arrow()
    size = status(real)[0]
    found = [str(row[column]) for row in rows.to_pylist() if not sized or row["size"] == size]
    return max(found, key=len, default=None)
