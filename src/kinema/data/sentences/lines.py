"""Lines of a text file, with errors that name the file and the line.

A line ends at a line feed and nowhere else: Latin-1 texts hold the byte 0x85, which ``str.splitlines`` takes for the
end of a line, and would then pair the wrong sentences with the wrong scores.
"""

from __future__ import annotations

import math
from pathlib import Path

from kinema.core.errors import DataError


def read_text(path: Path, *, latin: bool = False) -> str:
    """The text of a file, in UTF-8 (a byte-order mark is dropped).

    Args:
        path: the file.
        latin: read a file that is not UTF-8 as Latin-1, in which every byte is a character.

    Raises:
        DataError: the file cannot be read, or is not UTF-8 where it has to be; names the first line that is not.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"There is no file '{path}'.", "Check the path.") from None
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if latin:
            return data.decode("latin-1")
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"'{path}', line {line}: not UTF-8.", "Save the file in UTF-8.") from error


def read_lines(path: Path, *, latin: bool = False) -> list[str]:
    """The lines of a file without their ends; raises like :func:`read_text`."""
    lines = read_text(path, latin=latin).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def sentence_of(text: str, where: str, column: str) -> str:
    """A sentence without the space around it.

    Args:
        text: the cell.
        where: file and line, for the message.
        column: the cell's column, for the message.

    Raises:
        DataError: there is nothing but space.
    """
    found = text.strip()
    if not found:
        raise DataError(f"{where}: {column} is empty.", "Give every pair two sentences, or leave the line out.")
    return found


def score_of(text: str, where: str, column: str = "the score") -> float:
    """A finite number; DataError where the text is none."""
    try:
        score = float(text) if "_" not in text else math.nan
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DataError(f"{where}: {column} is '{text.strip()}', which is not a number.", "Give every pair a score.")
    return score
