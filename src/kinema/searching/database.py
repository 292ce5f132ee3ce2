"""Opens tables of LanceDB, in a folder or by a URI, and turns its errors into kinema's."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinema.core.errors import DataError, KinemaError, MissingExtraError, StorageError, UsageError
from kinema.searching.checksums import check_files

TABLE = "windows"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def lancedb() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.setdefault("LANCEDB_LOG", "error")  # its warnings are not for users
    try:
        import lancedb
    except ImportError as error:
        raise MissingExtraError("lancedb", "search") from error
    return lancedb


def folder_of(uri: str) -> Path | None:
    """The folder of a URI; None for object storage.

    Raises:
        UsageError: it is neither.
    """
    if not _SCHEME.match(uri):
        return Path(uri)
    scheme = uri.partition("://")[0].lower()
    if scheme == "file":
        return Path(uri[len("file://") :])  # LanceDB does not decode it either
    if scheme in ("db", "memory"):
        raise UsageError(
            f"'{uri}' is not a place that kinema keeps a table in.",
            "Name a folder, or object storage: s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH.",
        )
    return None


def connect(uri: str) -> Any:
    """A connection of LanceDB; the URI is passed on unchanged.

    Raises:
        MissingExtraError: lancedb is not installed.
        StorageError: it cannot be opened.
    """
    folder_of(uri)
    library = lancedb()
    with storage_errors(uri):
        return library.connect(uri)


def open_table(uri: str) -> Any | None:
    """The table at a URI; None, without creating anything, where there is none.

    Raises:
        StorageError: it is damaged or not reachable.
    """
    folder = folder_of(uri)
    library = lancedb()
    if folder is not None and not (folder / f"{TABLE}.lance").is_dir():
        return None
    if folder is not None:
        check_files(folder)
    with storage_errors(uri):
        try:
            return library.connect(uri).open_table(TABLE)
        except (ValueError, FileNotFoundError) as error:
            if "not found" in str(error) and folder is None:
                return None
            raise


def require_table(uri: str) -> Any:
    """The table at a URI.

    Raises:
        DataError: there is none.
        StorageError: it is damaged or not reachable.
    """
    table = open_table(uri)
    if table is None:
        raise DataError(f"There is no table of embeddings in '{uri}'.", "Make one with: kinema embed RUN DATA")
    return table


@contextlib.contextmanager
def storage_errors(uri: str) -> Iterator[None]:
    """Turns errors of LanceDB into a StorageError that names the URI."""
    try:
        yield
    except KinemaError:
        raise
    except Exception as error:
        # Where LanceDB's own code fails at damaged files it raises a RustPanic, a class that it does not export.
        if not isinstance(error, OSError | ValueError | RuntimeError) and type(error).__name__ != "RustPanic":
            raise
        raise StorageError(
            f"The table in '{uri}' could not be read or written: {error_text(error)}.",
            "Check that the place exists and may be written, and that the disk is not full; what was finished is kept.",
        ) from error


def error_text(error: BaseException) -> str:
    """LanceDB's message on one line, without positions in its source."""
    text = " ".join(str(error).split())
    text = re.sub(r",? /\S+\.rs:\d+(:\d+)?", "", text)
    text = re.sub(r"^(lance error: |Invalid input, |LanceError\(\w+\): |Schema error: )+", "", text)
    return text[:400].rstrip(" .,")
