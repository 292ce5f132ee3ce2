"""Which modality a folder or a file feeds: how many videos and how many documents it holds, by the names of its files.

Nothing is opened but the head of each table, to see whether it has a column ``text``; a table counts as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kinema.core.errors import DataError
from kinema.data.documents.files import TABLES, check_columns
from kinema.data.documents.reading import claims_document
from kinema.data.documents.table import is_table
from kinema.data.documents.walking import files_below
from kinema.data.video.files import claims_video, pattern_of


@dataclass(frozen=True)
class Kinds:
    """What lies in a place.

    Args:
        place: the folder or file.
        videos: files whose names end like a video's, and folders of numbered pictures.
        documents: files that are one document each.
        tables: files of documents, one a row.
    """

    place: Path
    videos: int = 0
    documents: int = 0
    tables: int = 0

    @property
    def texts(self) -> int:
        """Files that hold documents."""
        return self.documents + self.tables

    @property
    def mixed(self) -> bool:
        """Whether there are videos and documents."""
        return bool(self.videos and self.texts)

    def __str__(self) -> str:
        """For instance '12 videos, 30 documents and 1 table of documents'; 'neither videos nor documents'."""
        counts = [(self.videos, "video"), (self.documents, "document")]
        named = [f"{count} {noun}{'s' * (count > 1)}" for count, noun in counts if count]
        if self.tables:
            named.append(f"{self.tables} table{'s' * (self.tables > 1)} of documents")
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named) or (
            "neither videos nor documents"
        )

    def which(self, method: str, unit: str) -> str:
        """What a method does with a folder that holds both: a sentence; empty where it does not.

        Args:
            method: its name, for instance 'declutr'.
            unit: what it reads, 'clips' or 'documents'.
        """
        if not self.mixed:
            return ""
        read, left = ("documents", "videos") if unit == "documents" else ("videos", "documents")
        return f"'{self.place}' holds {self}; {method} reads the {read} and leaves the {left} alone."

    def check(self, method: str, unit: str) -> None:
        """Refuses a place that holds videos alone for a method of documents, and the other way round.

        Args:
            method: its name.
            unit: what it reads, 'clips' or 'documents'.

        Raises:
            DataError: the message says what the place holds and what the method reads.
        """
        wanted, other = (self.texts, self.videos) if unit == "documents" else (self.videos, self.texts)
        if other and not wanted:
            read = "documents" if unit == "documents" else "videos"
            hint = (
                "A method of video reads them, for instance cpr; `kinema pretrain --list` names all."
                if unit == "documents"
                else "A method of text reads them, for instance declutr; `kinema pretrain --list` names all."
            )
            raise DataError(f"{method} reads {read}, and '{self.place}' holds {self}.", hint)


def kind_of(place: str | Path) -> Kinds:
    """What a folder, searched in all depths without hidden files, or a file holds.

    Raises:
        DataError: nothing is there.
    """
    place = Path(place)
    if place.is_dir():
        root, paths = place, files_below(place)[0]
    elif place.exists():
        root, paths = place.parent, [place.name]
    else:
        raise DataError(f"There is no folder or file '{place}'.")
    pictures = {
        (PurePosixPath(path).parent, pattern) for path in paths if (pattern := pattern_of(PurePosixPath(path).name))
    }
    found = [path for path in paths if claims_document(path)]
    tables = [path for path in found if PurePosixPath(path).suffix.lower() in TABLES]
    return Kinds(
        place=place,
        videos=sum(claims_video(path) for path in paths) + len(pictures),
        documents=len(found) - len(tables),
        tables=sum(_holds_texts(root / path) for path in tables),
    )


def _holds_texts(path: Path) -> bool:
    if path.suffix.lower() == ".parquet" and is_table(path):
        return True
    try:
        check_columns(path)
    except (DataError, OSError, ValueError):
        return False
    return True
