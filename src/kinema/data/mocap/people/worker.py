"""Makes a share of the tracklets in a process of its own: ``python -m kinema.data.mocap.people.worker``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinema.core.files import write_atomic
from kinema.data.mocap.encode import frames_digest
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.film import Crew
from kinema.data.mocap.people.plan import Sighting, plan_sightings

QUALITY = 90
"""Of the JPEG."""

_END = b"\xff\xd9"
"""The last two bytes of a JPEG that is whole."""


def make_tracklet(out: Path, sighting: Sighting, crew: Crew) -> Row:
    """Writes a tracklet's crops and gives its path and their digest.

    A tracklet that is there already, whole and of these settings, is not made again.

    Args:
        out: the data set's folder.
        sighting: the tracklet.
        crew: films it.
    """
    digest = _digest_of(out, sighting)
    if not digest:
        crops = crew.film(sighting)
        digest = frames_digest(crops)
        for name, crop in zip(sighting.files, crops, strict=True):
            write_crop(out / name, crop, f"{name} {digest}")
    return {"path": sighting.path, "digest": digest}


def _digest_of(out: Path, sighting: Sighting) -> str:
    """The digest of a tracklet's crops where all of them are there; empty otherwise."""
    notes = [read_note(out / name).rpartition(" ") for name in sighting.files]
    whole = all(about == name for (about, _, _), name in zip(notes, sighting.files, strict=True))
    digests = {digest for _, _, digest in notes}
    return digests.pop() if whole and len(digests) == 1 else ""


def write_crop(path: Path, crop: NDArray[np.uint8], note: str) -> None:
    """Writes a JPEG file atomically.

    Args:
        path: the file.
        crop: uint8 [H, W, 3], RGB.
        note: written to the file's comment; :func:`read_note` gives it back.

    Raises:
        StorageError: the file cannot be written.
    """
    memory = io.BytesIO()
    Image.fromarray(crop).save(memory, "JPEG", quality=QUALITY, comment=note)
    write_atomic(path, lambda file: file.write(memory.getbuffer()))


def read_note(path: Path) -> str:
    """The note of a whole file that :func:`write_crop` wrote; empty where there is no such file."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            note = picture.info.get("comment", b"")
    except OSError:
        return ""
    return note.decode(errors="replace") if content.endswith(_END) else ""


def _share(out: Path, config: MocapPeopleConfig, share: slice) -> Iterator[Row]:
    crew = Crew(config)
    for sighting in plan_sightings(config)[share]:
        yield make_tracklet(out, sighting, crew)


if __name__ == "__main__":
    answer(MocapPeopleConfig, _share)
