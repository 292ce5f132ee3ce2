"""Who is seen doing what, where and in which colour, and what is said of it: the pairs, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.words.config import MocapWordsConfig
from kinema.data.mocap.words.wordings import COLOURS, PATTERNS, TROUSERS, Said, describe


@dataclass(frozen=True)
class Sight:
    """A pair: one moment of a performance, and what is said of it.

    Args:
        number: of the pair, from 0.
        person: who performs, from 0.
        split: ``train`` or ``test``, of the person.
        motion: of :data:`~kinema.data.mocap.config.CLASSES`.
        colour: of the top, of :data:`~kinema.data.mocap.words.wordings.COLOURS`.
        trousers: a row of :data:`~kinema.data.mocap.words.wordings.TROUSERS`.
        family: of the scene, a row of :data:`~kinema.data.mocap.config.CLASSES`.
        scene: which scene of the family and the side.
        said: the sentence.
    """

    number: int
    person: int
    split: str
    motion: str
    colour: str
    trousers: int
    family: int
    scene: int
    said: Said

    @property
    def path(self) -> str:
        """The picture, relative to the data set's folder, posix."""
        return f"images/{self.number + 1:06d}.jpg"

    @property
    def place(self) -> str:
        """The pattern of the scene, of :data:`~kinema.data.mocap.words.wordings.PATTERNS`."""
        return PATTERNS[self.family % len(PATTERNS)]

    def labels(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Its labels of those kinds, 'motion', 'colour' and 'place', in that order."""
        known = {"motion": self.motion, "colour": self.colour, "place": self.place}
        return tuple(value for kind, value in known.items() if kind in kinds)

    def generator(self, seed: int) -> np.random.Generator:
        """The random numbers of its performance and its view."""
        return rng_at(seed, "performance", self.number)


def rng_at(seed: int, *address: int | str) -> np.random.Generator:
    """The random numbers of one place of the set."""
    return np.random.Generator(np.random.PCG64(seed_at(seed, "mocap-words", *address)))


def person_name(number: int) -> str:
    """The name of the person of that number, from 0: ``p001``."""
    return f"p{number + 1:03d}"


def tested_people(config: MocapWordsConfig) -> frozenset[int]:
    """The people who are 'test'; chance chooses them."""
    order = rng_at(config.seed, "split").permutation(config.people)
    return frozenset(order[: config.tested].tolist())


def plan_sights(config: MocapWordsConfig) -> list[Sight]:
    """Every pair of the set. Of fifteen that follow one another, each has another motion.

    More pairs leave the earlier ones as they were.
    """
    tested = tested_people(config)
    motions = lru_cache(maxsize=1)(lambda block: rng_at(config.seed, "motions", block).permutation(len(CLASSES)))
    return [
        _plan(config, number, CLASSES[int(motions(number // len(CLASSES))[number % len(CLASSES)])], tested)
        for number in range(config.pairs)
    ]


def _plan(config: MocapWordsConfig, number: int, motion: str, tested: frozenset[int]) -> Sight:
    rng = rng_at(config.seed, "pair", number)
    person = int(rng.integers(config.people))
    colour = tuple(COLOURS)[int(rng.integers(len(COLOURS)))]
    trousers, family, scene = (int(rng.integers(most)) for most in (len(TROUSERS), len(CLASSES), config.scenes))
    split = "test" if person in tested else "train"
    said = describe(
        motion,
        colour,
        PATTERNS[family % len(PATTERNS)],
        split,
        partial=config.partial,
        synonyms=config.synonyms,
        rng=rng_at(config.seed, "words", number),
    )
    return Sight(number, person, split, motion, colour, trousers, family, scene, said)
