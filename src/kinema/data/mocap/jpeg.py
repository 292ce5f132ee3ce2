"""Pictures of drawn sets: JPEG files that say in a note what they are of, so that whole ones need not be made again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinema.core.files import write_atomic

QUALITY = 90
"""Of the JPEG."""

_END = b"\xff\xd9"
"""The last two bytes of a JPEG that is whole."""


def write_jpeg(path: Path, picture: NDArray[np.uint8], note: str) -> None:
    """Writes a JPEG file atomically.

    Args:
        path: the file.
        picture: uint8 [H, W, 3], RGB.
        note: written to the file's comment; :func:`read_note` gives it back.

    Raises:
        StorageError: the file cannot be written.
    """
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "JPEG", quality=QUALITY, comment=note)
    write_atomic(path, lambda file: file.write(memory.getbuffer()))


def read_note(path: Path) -> str:
    """The note of a whole file that :func:`write_jpeg` wrote; empty where there is no such file."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            note = picture.info.get("comment", b"")
    except OSError:
        return ""
    return note.decode(errors="replace") if content.endswith(_END) else ""
