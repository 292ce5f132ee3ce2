"""Who performs what, where, for whom: the list of recordings, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap.config import CLASSES, PARTS, MocapConfig


@dataclass(frozen=True)
class Take:
    """One video: a recording set into one scene.

    Args:
        path: relative to the data set's folder, posix.
        part: ``matched``, ``unbiased`` or ``swapped``; empty for training.
        family: the scene's family, a row of :data:`~kinema.data.mocap.config.CLASSES`.
        scene: which scene of the family.
    """

    path: str
    part: str
    family: int
    scene: int


@dataclass(frozen=True)
class Recording:
    """One performance before one camera, and the scenes it is shown in.

    Args:
        name: unique in the set, for instance ``train-walk-0007``.
        split: ``train`` or ``test``.
        label: row of :data:`~kinema.data.mocap.config.CLASSES`.
        number: which recording of its class and split.
        actor: which person of the split.
        takes: one for training, one for every part for the test.
        sounds_like: class and number, of the same split, of the recording whose sound it has; its own by default.
    """

    name: str
    split: str
    label: int
    number: int
    actor: int
    takes: tuple[Take, ...]
    sounds_like: tuple[int, int] | None = None

    def generator(self, seed: int) -> np.random.Generator:
        """The random numbers of its performance and camera."""
        return np.random.Generator(np.random.PCG64(seed_at(seed, "mocap", self.split, self.label, self.number)))

    def sound_generator(self, seed: int) -> np.random.Generator:
        """The random numbers of its sound."""
        return np.random.Generator(
            np.random.PCG64(seed_at(seed, "mocap", "sound", self.split, self.label, self.number))
        )


def plan_recordings(config: MocapConfig) -> list[Recording]:
    """Every recording of the set, in the order of ``labels.csv``. Each is drawn from its own address.

    More recordings a class therefore leave the earlier ones as they were.
    """
    train = [_train(config, label, n) for label in range(len(CLASSES)) for n in range(config.clips_per_class)]
    test = [_test(config, label, n) for label in range(len(CLASSES)) for n in range(config.test_per_class)]
    return train + test


def _rng(config: MocapConfig, split: str, label: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed_at(config.seed, "mocap", "plan", split, label, number)))


def _train(config: MocapConfig, label: int, number: int) -> Recording:
    rng = _rng(config, "train", label, number)
    actor, informative = int(rng.integers(config.actors_train)), bool(rng.random() < config.bias)
    anywhere, scene = int(rng.integers(len(CLASSES))), int(rng.integers(config.scenes_train))
    name = f"train-{CLASSES[label]}-{number:04d}"
    path = f"train/{CLASSES[label]}/{name}.mp4"
    takes = (Take(path, "", label if informative else anywhere, scene),)
    return Recording(name, "train", label, number, actor, takes, _sounds_like(config, label, number))


def _sounds_like(config: MocapConfig, label: int, number: int) -> tuple[int, int] | None:
    """Of whom a training recording has the sound: drawn at an address of its own, so that no other draw moves."""
    if not config.sound or config.sound_mismatch == 0:
        return None
    rng = np.random.Generator(np.random.PCG64(seed_at(config.seed, "mocap", "mismatch", label, number)))
    if rng.random() >= config.sound_mismatch:
        return None
    return (label + 1 + int(rng.integers(len(CLASSES) - 1))) % len(CLASSES), number


def _test(config: MocapConfig, label: int, number: int) -> Recording:
    rng = _rng(config, "test", label, number)
    actor, anywhere = int(rng.integers(config.actors_test)), int(rng.integers(len(CLASSES)))
    other = (label + 1 + int(rng.integers(len(CLASSES) - 1))) % len(CLASSES)
    scenes = rng.integers(config.scenes_test, size=len(PARTS))
    name = f"test-{CLASSES[label]}-{number:04d}"
    takes = tuple(
        Take(f"test/{part}/{CLASSES[label]}/{name}-{part}.mp4", part, family, int(scene))
        for part, family, scene in zip(PARTS, (label, anywhere, other), scenes, strict=True)
        if part in config.parts
    )
    return Recording(name, "test", label, number, actor, takes)
