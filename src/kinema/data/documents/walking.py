"""Files below a folder, in all depths: each once, in the order of their paths, without hidden ones."""

from __future__ import annotations

from pathlib import Path

from kinema.data.walking import walk


def files_below(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The regular files below a folder, and what could not be looked into.

    Args:
        folder: where to begin.

    Returns:
        Paths relative to it with forward slashes, sorted; and path to reason of folders that cannot be opened, of
        links that lead nowhere, of names that are not UTF-8, and of pipes, sockets and devices.
    """
    found = walk(folder)
    closed = {path: f"it is a {word} and no file" for path, word in found.special.items()}
    closed |= {path: f"the link leads to nothing that is a file: {reason}" for path, reason in found.dangling.items()}
    closed |= dict.fromkeys(found.misnamed, "the file's name is not UTF-8; rename it")
    return list(found.files), closed | dict(found.unlisted)
