"""Makes a share of the tracklets in a process of its own: ``python -m kinema.data.mocap.people.worker``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kinema.data.mocap.encode import frames_digest
from kinema.data.mocap.jpeg import read_note, write_jpeg
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.people.config import MocapPeopleConfig
from kinema.data.mocap.people.film import Crew
from kinema.data.mocap.people.plan import Sighting, plan_sightings


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
            write_jpeg(out / name, crop, f"{name} {digest}")
    return {"path": sighting.path, "digest": digest}


def _digest_of(out: Path, sighting: Sighting) -> str:
    """The digest of a tracklet's crops where all of them are there; empty otherwise."""
    notes = [read_note(out / name).rpartition(" ") for name in sighting.files]
    whole = all(about == name for (about, _, _), name in zip(notes, sighting.files, strict=True))
    digests = {digest for _, _, digest in notes}
    return digests.pop() if whole and len(digests) == 1 else ""


def _share(out: Path, config: MocapPeopleConfig, share: slice) -> Iterator[Row]:
    crew = Crew(config)
    for sighting in plan_sightings(config)[share]:
        yield make_tracklet(out, sighting, crew)


if __name__ == "__main__":
    answer(MocapPeopleConfig, _share)
