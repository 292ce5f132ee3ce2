"""Who is seen where: the people, the cameras and the list of tracklets, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap.people.config import MocapPeopleConfig


@dataclass(frozen=True)
class Sighting:
    """A tracklet: one person before one camera.

    Args:
        person: their number, from 0.
        camera: its number, from 0.
        number: which of that person's tracklets in that camera, from 0.
        split: ``train`` or ``test``.
        frames: of it.
    """

    person: int
    camera: int
    number: int
    split: str
    frames: int

    @property
    def identity(self) -> str:
        """The person's name."""
        return person_name(self.person)

    @property
    def path(self) -> str:
        """The tracklet's folder, relative to the data set's, posix."""
        return f"{self.identity}/c{self.camera + 1}/{self.number + 1:04d}"

    @property
    def files(self) -> list[str]:
        """A picture a frame, relative to the data set's folder, posix."""
        return [f"{self.path}/{frame:04d}.jpg" for frame in range(self.frames)]

    def generator(self, seed: int, what: str) -> np.random.Generator:
        """The random numbers of something of it: its motion, its view, its boxes."""
        return rng_at(seed, what, self.person, self.camera, self.number)


@dataclass(frozen=True)
class Station:
    """A camera: from where it looks and what it makes of colours.

    Args:
        name: for instance ``c1``.
        azimuth: radians, from where it looks at people who walk in the usual direction: 0 from before them.
        elevation: radians, by which it looks down.
        detail: how many pixels high people are in it, of the pixels of a crop: 1 is all of them.
        family: of its place, a row of :data:`~kinema.data.mocap.config.CLASSES`.
        colours: uint8 [256, 3], what red, green and blue become.
    """

    name: str
    azimuth: float
    elevation: float
    detail: float
    family: int
    colours: np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def person_name(number: int) -> str:
    """The name of the person of that number, from 0: ``p001``."""
    return f"p{number + 1:03d}"


def rng_at(seed: int, *address: int | str) -> np.random.Generator:
    """The random numbers of one place of the set."""
    return np.random.Generator(np.random.PCG64(seed_at(seed, "mocap-people", *address)))


def plan_sightings(config: MocapPeopleConfig) -> list[Sighting]:
    """Every tracklet of the set, a person after another, as ``tracklets.csv`` has them.

    More people therefore leave the earlier ones as they were.
    """
    return [
        Sighting(person, camera, number, split_of(config.seed, person), config.frames)
        for person in range(config.people)
        for camera in range(config.cameras)
        for number in range(config.tracklets)
    ]


def split_of(seed: int, person: int) -> str:
    """Whether a person is of the ``train`` or the ``test`` half: of two who follow one another, one is of each."""
    first = int(rng_at(seed, "split", person // 2).integers(2))
    return "train" if person % 2 == first else "test"


def plan_stations(config: MocapPeopleConfig) -> list[Station]:
    """The cameras: round people, each with a height, a size of people, a place and colours of its own."""
    return [_plan_station(config, number) for number in range(config.cameras)]


def _plan_station(config: MocapPeopleConfig, number: int) -> Station:
    rng = rng_at(config.seed, "camera", number)
    turn = (number + 0.5 + 0.5 * rng.uniform(-0.5, 0.5)) / config.cameras - 0.5
    elevation = np.deg2rad(config.elevation_range) * rng.uniform(0.1, 1.0)
    detail, family = float(rng.uniform(0.55, 1.0)), int(rng.integers(15))
    gain, gamma, cast = rng.uniform(0.75, 1.15), rng.uniform(0.8, 1.25), rng.uniform(0.88, 1.12, 3)
    level = np.arange(256)[:, None] / 255
    colours = np.clip(np.rint(255 * gain * cast * level**gamma), 0, 255).astype(np.uint8)
    azimuth = np.deg2rad(90.0 + config.camera_range * turn)
    return Station(f"c{number + 1}", float(azimuth), float(elevation), detail, family, colours)
