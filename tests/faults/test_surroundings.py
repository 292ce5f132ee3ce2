"""Odd films, environments and bad features: a part of ``python benchmarks/reliability.py``."""

import logging
from types import SimpleNamespace

import hostile_world
import pytest

from kinema.core.errors import KinemaError


@pytest.fixture(scope="module")
def state(tmp_path_factory, make_tiny_video):
    folder = tmp_path_factory.mktemp("world")
    for name, motion in (("right", (2, 0)), ("down", (0, 2))):
        for number in range(3):
            make_tiny_video(folder / "videos" / name / f"{name}{number}.mp4", motion, seed=number)
    return SimpleNamespace(folder=folder, videos=folder / "videos")


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("media", slice(1, 40, 9)),
        ("environment", slice(5, 60, 24)),
        ("numerics", slice(1, 110, 3)),
    ],
)
def test_surroundings(kind, some, state, caplog):
    caplog.set_level(logging.ERROR)
    attempts = list(hostile_world.KINDS[kind](state, 1, hostile_world.SIZES[kind]))[some]
    for name, attempt in attempts:
        try:
            found = attempt()
        except KinemaError:  # what cannot be done is said
            continue
        else:
            assert found is True, (name, found)
