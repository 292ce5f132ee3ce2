"""Folders that may move: what is written of a folder beside a list of its files, and how it is found again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kinema.core.errors import DataError


def way_to(root: Path, file: Path) -> str:
    """The way from a list's folder to the folder of its files; empty where there is none, as to another drive.

    Args:
        root: the folder of the files.
        file: the list.
    """
    try:
        return os.path.relpath(root.resolve(), file.resolve().parent)
    except ValueError:
        return ""


def found_root(recorded: str, way: object, file: Path, holds: Callable[[Path], bool]) -> Path:
    """The folder of a list's files: where it was; else where the way leads, or the list's own folder.

    Args:
        recorded: the folder's path when the list was written.
        way: the way to it from the list's folder; None, or no text, where it is not known.
        file: the list.
        holds: whether a folder holds files of the list.

    Returns:
        The recorded folder where none of them holds any.
    """
    root, beside = Path(recorded), file.resolve().parent
    if holds(root):
        return root
    places = [beside / way, beside] if isinstance(way, str) and way else [beside]
    return next((place.resolve() for place in places if holds(place)), root)


def require_root(root: Path, noun: str) -> None:
    """Raises where a folder is not there, so that this is said, and not that each of its files is missing.

    Args:
        root: the folder.
        noun: what its files are called: 'videos'.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(
            f"The {noun} were in '{root}', and there is no such folder now.",
            "If they have moved, name the manifest with their folder, as MANIFEST:FOLDER; or scan them where they are. "
            "If a disk or a share is away, bring it back.",
        )
