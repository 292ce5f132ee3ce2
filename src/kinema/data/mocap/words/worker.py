"""Makes a share of the pictures in a process of its own: ``python -m kinema.data.mocap.words.worker``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kinema.data.mocap.encode import frames_digest
from kinema.data.mocap.jpeg import read_note, write_jpeg
from kinema.data.mocap.making import Row, answer
from kinema.data.mocap.words.config import MocapWordsConfig
from kinema.data.mocap.words.film import Painter
from kinema.data.mocap.words.plan import Sight, plan_sights


def make_picture(out: Path, sight: Sight, painter: Painter) -> Row:
    """Writes a pair's picture and gives its path and its digest; one that is there already, whole, is not made again.

    Args:
        out: the data set's folder.
        sight: the pair.
        painter: draws it.
    """
    path = out / sight.path
    about, _, digest = read_note(path).rpartition(" ")
    if about != sight.path:
        picture = painter.picture(sight)
        digest = frames_digest(picture[None])
        write_jpeg(path, picture, f"{sight.path} {digest}")
    return {"path": sight.path, "digest": digest}


def _share(out: Path, config: MocapWordsConfig, share: slice) -> Iterator[Row]:
    painter = Painter(config)
    for sight in plan_sights(config)[share]:
        yield make_picture(out, sight, painter)


if __name__ == "__main__":
    answer(MocapWordsConfig, _share)
