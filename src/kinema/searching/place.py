"""Where a table is: a folder, or whatever else LanceDB reaches by its URI; and its errors in our words."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError, KinemaError, MissingExtraError, StorageError, UsageError

TABLE = "windows"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def lancedb() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")  # it tells standard error what is no warning to a user
    try:
        import lancedb
    except ImportError as error:
        raise MissingExtraError("lancedb", "search") from error
    return lancedb


def folder_of(uri: str) -> Path | None:
    """The folder that a URI means; None for object storage.

    Raises:
        UsageError: it means neither.
    """
    if not _SCHEME.match(uri):
        return Path(uri)
    scheme = uri.partition("://")[0].lower()
    if scheme == "file":
        return Path(uri[len("file://") :])  # LanceDB takes it as it is written, too
    if scheme in ("db", "memory"):
        raise UsageError(
            f"'{uri}' is not a place that kinema keeps a table in.",
            "Name a folder, or object storage: s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH.",
        )
    return None


def connect(uri: str) -> Any:
    """A connection of LanceDB; the URI is passed on as it is.

    Raises:
        MissingExtraError: lancedb is not installed.
        StorageError: there is no such place.
    """
    folder_of(uri)
    library = lancedb()
    with telling(uri):
        return library.connect(uri)


def open_table(uri: str) -> Any | None:
    """The table there; None where there is none, and then nothing is made.

    Raises:
        StorageError: it is damaged or cannot be reached.
    """
    folder = folder_of(uri)
    library = lancedb()
    if folder is not None and not (folder / f"{TABLE}.lance").is_dir():
        return None
    with telling(uri):
        try:
            return library.connect(uri).open_table(TABLE)
        except (ValueError, FileNotFoundError) as error:
            if "not found" in str(error) and folder is None:
                return None
            raise


def need_table(uri: str) -> Any:
    """The table there.

    Raises:
        DataError: there is none.
        StorageError: it is damaged or cannot be reached.
    """
    table = open_table(uri)
    if table is None:
        raise DataError(f"There is no table of embeddings in '{uri}'.", "Make one with: kinema embed RUN DATA")
    return table


@contextlib.contextmanager
def telling(uri: str) -> Iterator[None]:
    """Turns what LanceDB raises into a StorageError that names the place."""
    try:
        yield
    except KinemaError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise StorageError(
            f"The table in '{uri}' could not be read or written: {plain(error)}.",
            "Check that the place exists and may be written, and that the disk is not full; what was finished is kept.",
        ) from error


def plain(error: BaseException) -> str:
    """What LanceDB says, in one line, without places in its own source."""
    told = " ".join(str(error).split())
    told = re.sub(r",? /\S+\.rs:\d+(:\d+)?", "", told)
    told = re.sub(r"^(lance error: |Invalid input, |LanceError\(\w+\): |Schema error: )+", "", told)
    return told[:400].rstrip(" .,")
