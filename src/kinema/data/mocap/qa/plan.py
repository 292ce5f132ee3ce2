"""Who does what when, and what is said over it: the videos of the set, from the settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kinema.core.seeds import seed_at
from kinema.data.mocap.qa.config import OPTIONS, SPLITS, MocapQAConfig
from kinema.data.mocap.qa.wordings import FACTS, THINGS
from kinema.data.mocap.steps.config import STEPS
from kinema.data.mocap.steps.plan import Segment

DIFFERENT = (5, 7)
"""How many motions a video has in which all are different: from, to."""

REPEATS = (3, 2, 1, 1)
"""How often each motion of the other videos occurs."""


@dataclass(frozen=True)
class Line:
    """A subtitle: one thing that is said of a thing, over one motion.

    Args:
        segment: the motion, a row of the video's segments.
        start: seconds.
        end: seconds.
        text: what is shown.
        thing: of :data:`~kinema.data.mocap.qa.wordings.THINGS`; no two lines of a video speak of the same.
        kind: of :data:`~kinema.data.mocap.qa.wordings.FACTS`.
        value: what is said of it; no two lines of a video say the same.
    """

    segment: int
    start: float
    end: float
    text: str
    thing: str
    kind: str
    value: str


@dataclass(frozen=True)
class Film:
    """One video.

    Args:
        number: from 0.
        person: who performs, from 0.
        split: the person's side, of :data:`~kinema.data.mocap.qa.config.SPLITS`.
        fps: its frames per second.
        segments: one motion after another, never the same twice at once.
        absent: the motions of the set that do not occur.
        lines: what is said, in the order of time.
    """

    number: int
    person: int
    split: str
    fps: int
    segments: tuple[Segment, ...]
    absent: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """For instance ``v0001``."""
        return f"v{self.number + 1:04d}"

    @property
    def path(self) -> str:
        """The video's, relative to the data set's folder, posix."""
        return f"videos/{self.name}.mp4"

    @property
    def frames(self) -> int:
        """Of the video."""
        return self.segments[-1].stop

    @property
    def motions(self) -> tuple[str, ...]:
        """Those that occur, each once, in the order of their first time."""
        return tuple(dict.fromkeys(segment.label for segment in self.segments))

    @property
    def repeats(self) -> bool:
        """Whether a motion occurs more than once."""
        return len(self.motions) < len(self.segments)

    def generator(self, seed: int, what: str, number: int = 0) -> np.random.Generator:
        """The random numbers of something of it: its place, its camera, a segment's motion."""
        return rng_at(seed, what, self.number, number)


def rng_at(seed: int, *address: int | str) -> np.random.Generator:
    """The random numbers of one place of the set."""
    return np.random.Generator(np.random.PCG64(seed_at(seed, "mocap-qa", *address)))


def person_name(number: int) -> str:
    """The name of the person of that number, from 0: ``p001``."""
    return f"p{number + 1:03d}"


def plan_films(config: MocapQAConfig) -> list[Film]:
    """Every video of the set. More videos leave the earlier ones as they were."""
    sides = _sides(config)
    return [_plan(config, number, sides) for number in range(config.videos)]


def _sides(config: MocapQAConfig) -> list[str]:
    """The side of every person; chance chooses them."""
    order = rng_at(config.seed, "split").permutation(config.people)
    names = np.repeat(SPLITS, config.sides)
    return [str(names[place]) for place in np.argsort(order)]


def _plan(config: MocapQAConfig, number: int, sides: list[str]) -> Film:
    person = (number // 2) % config.people
    rng = rng_at(config.seed, "plan", number)
    order = _order(rng, STEPS[: config.motions], repeats=bool(number % 2))
    seconds = rng.uniform(config.seconds_min, config.seconds_max, size=len(order))
    lengths = np.rint(seconds * config.fps).astype(int)
    stops = lengths.cumsum().tolist()
    segments = tuple(
        Segment(label, stop - length, stop) for label, length, stop in zip(order, lengths.tolist(), stops, strict=True)
    )
    lines = _lines(config, segments, rng_at(config.seed, "lines", number))
    absent = tuple(motion for motion in STEPS[: config.motions] if motion not in order)
    return Film(number, person, sides[person], config.fps, segments, absent, lines)


def _order(rng: np.random.Generator, known: tuple[str, ...], *, repeats: bool) -> list[str]:
    """The motions of a video in their order, drawn evenly from all orders in which none follows itself."""
    count = len(REPEATS) if repeats else int(rng.integers(DIFFERENT[0], DIFFERENT[1] + 1))
    chosen = [known[row] for row in rng.permutation(len(known))[:count]]
    if not repeats:
        return chosen
    every = [motion for motion, times in zip(chosen, REPEATS, strict=True) for _ in range(times)]
    while True:
        order = [every[row] for row in rng.permutation(len(every))]
        if all(first != second for first, second in pairwise(order)):
            return order


def _lines(config: MocapQAConfig, segments: tuple[Segment, ...], rng: np.random.Generator) -> tuple[Line, ...]:
    """What is said. At least as many different motions as a question has options have a line."""
    spoken = set(range(len(segments)))
    for row in rng.permutation(len(segments)).tolist():
        left = {segments[other].label for other in spoken - {row}}
        if rng.random() < config.silent and len(left) >= OPTIONS:
            spoken.discard(row)
    things = [THINGS[row] for row in rng.permutation(len(THINGS))[: len(segments)]]
    kinds = [tuple(FACTS)[row] for row in rng.integers(len(FACTS), size=len(segments))]
    values = {kind: iter(rng.permutation(fact.values).tolist()) for kind, fact in FACTS.items()}
    edge, lines = 0.5 * config.transition, []
    for row, (segment, thing, kind) in enumerate(zip(segments, things, kinds, strict=True)):
        value, says = str(next(values[kind])), FACTS[kind].says
        text = says[int(rng.integers(len(says)))].format(thing=thing, value=value)
        start, end = (round(time, 3) for time in (segment.start / config.fps + edge, segment.stop / config.fps - edge))
        if row in spoken:
            lines.append(Line(row, start, end, text, thing, kind, value))
    return tuple(lines)
