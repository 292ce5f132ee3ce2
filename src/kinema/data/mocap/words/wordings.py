"""What is said of a picture: the words for each motion, colour and place, and the sentences that they stand in.

Of each meaning there are wordings that both sides use, and others that only the training's or only the test's sentences
use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from kinema.data.mocap.config import CLASSES


@dataclass(frozen=True)
class Wordings:
    """How one thing can be said.

    Args:
        both: by both sides.
        train: by the training's sentences alone.
        test: by the test's alone.
    """

    both: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]

    def choose(self, split: str, synonyms: float, rng: np.random.Generator) -> str:
        """One of them.

        Args:
            split: ``train`` or ``test``.
            synonyms: how often it is one that only this side uses.
            rng: what is drawn by.
        """
        own = self.train if split == "train" else self.test
        some = own if rng.random() < synonyms else self.both
        return some[int(rng.integers(len(some)))]


DOES = {
    "backflip": Wordings(
        ("does a backflip", "flips over backwards", "turns a somersault backwards"),
        ("throws a back flip",),
        ("backflips",),
    ),
    "cartwheel": Wordings(
        ("turns a cartwheel", "wheels over on both hands", "goes sideways over the hands"),
        ("performs a cartwheel",),
        ("cartwheels along",),
    ),
    "crawl": Wordings(
        ("crawls", "creeps over the ground", "goes along on hands and knees"), ("crawls forward",), ("is crawling low",)
    ),
    "dance_a": Wordings(
        ("dances with wide arms", "swings both arms in a dance", "dances with arms spread"),
        ("waves arms to music",),
        ("dances, arms outstretched",),
    ),
    "dance_b": Wordings(
        ("sways to a beat", "steps from side to side in a dance", "dances and sways"),
        ("grooves from foot to foot",),
        ("is swaying to music",),
    ),
    "getup_facedown": Wordings(
        ("gets up from the belly", "pushes up off the floor", "rises, face to the floor"),
        ("stands up from a press-up",),
        ("pushes off the floor to rise",),
    ),
    "getup_faceup": Wordings(
        ("gets up from the back", "sits up from lying", "rises, face to the sky"),
        ("rolls up from lying flat",),
        ("is sitting up off the back",),
    ),
    "jump": Wordings(("jumps", "leaps up", "springs straight up"), ("hops high",), ("is jumping up",)),
    "kick": Wordings(("kicks", "kicks out with a leg", "aims a high kick"), ("lands a kick",), ("is kicking high",)),
    "punch": Wordings(
        ("punches", "throws a punch", "strikes with a fist"), ("boxes the air",), ("is punching the air",)
    ),
    "roll": Wordings(
        ("rolls over the ground", "rolls forwards", "does a forward roll"),
        ("tumbles forwards",),
        ("is rolling on the floor",),
    ),
    "run": Wordings(("runs", "sprints", "runs fast"), ("jogs",), ("is running fast",)),
    "spin": Wordings(
        ("spins through the air", "whirls round in the air", "twists in a flying spin"),
        ("twirls round",),
        ("is whirling round",),
    ),
    "spinkick": Wordings(
        ("does a spinning kick", "turns and kicks", "kicks while turning round"),
        ("lands a roundhouse",),
        ("turns into a kick",),
    ),
    "walk": Wordings(("walks", "strolls along", "goes for a walk"), ("ambles along",), ("is walking along",)),
}
"""What somebody does, by the name of the motion."""

COLOURS = {
    "black": (0.06, 0.06, 0.07),
    "blue": (0.10, 0.25, 0.90),
    "green": (0.08, 0.62, 0.18),
    "orange": (1.00, 0.50, 0.05),
    "purple": (0.52, 0.12, 0.72),
    "red": (0.85, 0.06, 0.08),
    "white": (0.97, 0.97, 0.96),
    "yellow": (1.00, 0.90, 0.10),
}
"""The colours of tops: red, green, blue, 0 to 1."""

TROUSERS = ((0.24, 0.25, 0.28), (0.42, 0.42, 0.44), (0.56, 0.52, 0.45))
"""Those of trousers, which nothing is said of: dark grey, grey, and a greyish brown."""

HUES = {
    "black": Wordings(("black",), ("pitch-black", "coal-black"), ("jet-black",)),
    "blue": Wordings(("blue",), ("navy", "cobalt"), ("azure",)),
    "green": Wordings(("green",), ("emerald", "grass-green"), ("leaf-green",)),
    "orange": Wordings(("orange",), ("tangerine", "pumpkin"), ("amber",)),
    "purple": Wordings(("purple",), ("violet", "plum"), ("lilac",)),
    "red": Wordings(("red",), ("scarlet", "crimson"), ("ruby",)),
    "white": Wordings(("white",), ("snow-white", "chalk-white"), ("ivory",)),
    "yellow": Wordings(("yellow",), ("lemon", "golden"), ("sunny yellow",)),
}
"""The words for a colour, by its name."""

WORN = Wordings(("in a {} top", "wearing a {} shirt", "dressed in {}"), ("in a {} jersey",), ("with a {} sweater on",))
"""How clothes are said, with a place for the colour."""

PATTERNS = ("curtains", "lights", "waves", "windows", "hills")
"""The places there are: the patterns of walls, a family after another (:mod:`kinema.data.mocap.scenes`)."""

PLACES = {
    "curtains": Wordings(
        ("before a striped curtain", "in front of curtains"), ("near the drapes",), ("by striped drapes",)
    ),
    "lights": Wordings(
        ("before blurred lights", "in front of soft lights"), ("among glowing lamps",), ("by round lights",)
    ),
    "waves": Wordings(("before a wall of waves", "in front of waves"), ("by the sea",), ("before wavy lines",)),
    "windows": Wordings(
        ("before a row of windows", "in front of windows"), ("by a chequered wall",), ("near the panes",)
    ),
    "hills": Wordings(("before a row of hills", "in front of hills"), ("among the mountains",), ("by hilly land",)),
}
"""Where somebody is, by the name of the place."""

WHO = Wordings(("a person", "somebody"), ("a figure",), ("someone",))

_WHOLE = ("{who} {worn} {does}", "{worn}, {who} {does}", "{who} {does}, {worn}", "there is {who} {worn} who {does}")
_MOTION = ("{who} {does}", "there is {who} who {does}")
_COLOUR = ("{who} {worn}", "there is {who} {worn}")
SAYS = {"whole": _WHOLE, "motion": _MOTION, "colour": _COLOUR}
"""The sentences that say motion and colour, the motion alone, and the colour alone."""

PLACED = 0.5
"""How often a sentence says the place too."""


@dataclass(frozen=True)
class Said:
    """A sentence about a picture.

    Args:
        text: the sentence.
        says: what it says: 'motion', 'colour' and 'place', those of them that it does.
    """

    text: str
    says: tuple[str, ...]


def describe(
    motion: str, colour: str, place: str, split: str, *, partial: float, synonyms: float, rng: np.random.Generator
) -> Said:
    """A sentence about a picture: a function of the arguments, and of what ``rng`` draws.

    Args:
        motion: one of :data:`~kinema.data.mocap.config.CLASSES`.
        colour: one of :data:`COLOURS`.
        place: one of :data:`PLACES`.
        split: ``train`` or ``test``.
        partial: how often it says motion or colour alone.
        synonyms: how often a wording is one that only this side uses.
        rng: what is drawn by.
    """
    kind = ("motion", "colour")[int(rng.integers(2))] if rng.random() < partial else "whole"
    frames = SAYS[kind]
    said = frames[int(rng.integers(len(frames)))].format(
        who=WHO.choose(split, synonyms, rng),
        does=DOES[motion].choose(split, synonyms, rng),
        worn=WORN.choose(split, synonyms, rng).format(HUES[colour].choose(split, synonyms, rng)),
    )
    says = ("motion", "colour") if kind == "whole" else (kind,)
    if rng.random() < PLACED:
        said, says = f"{said}, {PLACES[place].choose(split, synonyms, rng)}", (*says, "place")
    said = re.sub(r"\ba (?=[aeio])", "an ", said)
    return Said(f"{said[0].upper()}{said[1:]}.", says)


def label_names() -> dict[str, tuple[str, ...]]:
    """The values of each kind of label, sorted."""
    return {"motion": CLASSES, "colour": tuple(COLOURS), "place": tuple(sorted(PLACES))}
