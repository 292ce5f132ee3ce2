"""Who performs which steps when: the list of videos and their labels, from the settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.steps.config import ACTIVITIES, BACKGROUND, MOST_TIMES, STEPS, MocapStepsConfig

_PAUSE = 1.0
"""Seconds that a stretch of background lasts at least, where there is time; on average half as much again."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a video with one label.

    Args:
        label: the motion, or ``background``.
        start: its first frame.
        stop: the frame after its last.
    """

    label: str
    start: int
    stop: int


@dataclass(frozen=True)
class Session:
    """One video: a person who performs an activity.

    Args:
        name: for instance ``P01_workout``; what follows the last ``_`` is the activity.
        person: their number, from 0.
        activity: row of :data:`~kinema.data.mocap.steps.config.ACTIVITIES`.
        segments: one after another, without a gap.
    """

    name: str
    person: int
    activity: int
    segments: tuple[Segment, ...]

    @property
    def path(self) -> str:
        """The video's, relative to the data set's folder, posix."""
        return f"videos/{self.name}.mp4"

    @property
    def frames(self) -> int:
        """Of the video."""
        return self.segments[-1].stop

    @property
    def labels(self) -> list[str]:
        """A label for each frame."""
        return [segment.label for segment in self.segments for _ in range(segment.start, segment.stop)]

    def generator(self, seed: int, what: str, number: int = 0) -> np.random.Generator:
        """The random numbers of something of it: its place, its camera, a segment's motion."""
        return _rng(seed, what, self.activity, self.person, number)


def plan_sessions(config: MocapStepsConfig) -> list[Session]:
    """Every video of the set, an activity after another. Each is drawn from its own address.

    More videos therefore leave the earlier ones as they were.
    """
    return [
        _plan_session(config, activity, person, steps)
        for activity, steps in enumerate(plan_steps(config))
        for person in range(config.videos)
    ]


def plan_steps(config: MocapStepsConfig) -> list[tuple[str, ...]]:
    """The steps of each activity, in the order of ``fixed``.

    The first activity has the motions that differ most; each further one has motions drawn from all.
    """
    activities = []
    for activity in range(config.activities):
        rng = _rng(config.seed, "steps", activity)
        rows = rng.permutation(config.steps if activity == 0 else len(STEPS))[: config.steps]
        activities.append(tuple(STEPS[row] for row in rows))
    return activities


def label_names(config: MocapStepsConfig) -> list[str]:
    """The labels of the set, in the order of ``mapping.txt``: background, if there is any, then as in Mocap-15."""
    used = {step for steps in plan_steps(config) for step in steps}
    return ([BACKGROUND] if config.background > 0 else []) + [name for name in CLASSES if name in used]


def _rng(seed: int, *address: int | str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed_at(seed, "mocap-steps", *address)))


def _plan_session(config: MocapStepsConfig, activity: int, person: int, steps: Sequence[str]) -> Session:
    rng = _rng(config.seed, "plan", activity, person)
    order = list(steps) if config.order == "fixed" else [steps[row] for row in rng.permutation(len(steps))]
    if config.order == "repeats":
        _add_repeats(order, rng)
    seconds = np.exp(rng.uniform(np.log(config.seconds_min), np.log(config.seconds_max), size=len(order)))
    lengths = np.rint(seconds * config.fps).astype(int).tolist()
    if config.background > 0:
        order, lengths = _with_pauses(order, lengths, config, rng)
    stops = np.cumsum(lengths).tolist()
    segments = tuple(
        Segment(label, stop - length, stop) for label, length, stop in zip(order, lengths, stops, strict=True)
    )
    return Session(f"P{person + 1:02d}_{ACTIVITIES[activity]}", person, activity, segments)


def _add_repeats(order: list[str], rng: np.random.Generator) -> None:
    """Has steps recur, at least one of them, none of them at once.

    Args:
        order: every step once; it grows.
        rng: how often each occurs, and when.
    """
    steps = list(order)
    more = rng.integers(0, MOST_TIMES, size=len(steps))
    more[int(rng.integers(len(steps)))] += not more.any()
    for step, times in zip(steps, more.tolist(), strict=True):
        for _ in range(times):
            # Two steps alone may have no such place: then they take turns already.
            places = [at for at in range(len(order) + 1) if step not in order[max(at - 1, 0) : at + 1]]
            if places:
                order.insert(places[int(rng.integers(len(places)))], step)


def _with_pauses(
    order: list[str], lengths: list[int], config: MocapStepsConfig, rng: np.random.Generator
) -> tuple[list[str], list[int]]:
    """The labels and frames of the segments, with stretches of background among them."""
    total = max(1, round(sum(lengths) * config.background / (1 - config.background)))
    shortest = min(max(1, round(max(_PAUSE, config.transition) * config.fps)), total)
    count = min(max(1, 2 * total // (3 * shortest)), len(order) + 1)
    before = set(rng.choice(len(order) + 1, size=count, replace=False).tolist())
    spare = total - count * shortest
    cuts = np.sort(rng.integers(0, spare + 1, size=count - 1))
    pauses = iter((shortest + np.diff(cuts, prepend=0, append=spare)).tolist())
    segments: list[tuple[str, int]] = []
    for at in range(len(order) + 1):
        if at in before:
            segments.append((BACKGROUND, next(pauses)))
        if at < len(order):
            segments.append((order[at], lengths[at]))
    return [label for label, _ in segments], [length for _, length in segments]
