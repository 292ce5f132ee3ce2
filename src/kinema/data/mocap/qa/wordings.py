"""What is said in the videos, and how it is asked for. No word of a subtitle is one of a motion.

A subtitle says one thing of one thing: where it is, whose it is, or when it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

DOES = {
    "walk": "walks",
    "punch": "throws punches",
    "jump": "jumps",
    "crawl": "crawls",
    "dance_b": "dances",
    "cartwheel": "turns cartwheels",
    "kick": "kicks",
    "run": "runs",
    "roll": "rolls forwards",
    "spin": "spins",
    "dance_a": "dances with wide arms",
    "backflip": "flips over backwards",
    "spinkick": "kicks while turning round",
}
"""What she does, by the name of the motion."""

TIMES = ("never", "once", "twice", "three times")
"""How often she does it, by the number."""

THINGS = (
    "kettle", "ladder", "lamp", "piano", "basket", "map", "letter", "parcel", "bicycle", "clock", "violin", "camera",
    "blanket", "mirror", "teapot", "suitcase", "umbrella", "hammer", "bucket", "carpet", "candle", "sofa", "kite",
    "radio",
)  # fmt: skip
"""Whatever subtitles speak of."""


@dataclass(frozen=True)
class Fact:
    """A kind of thing that can be said of a thing.

    Args:
        says: subtitles, with places for the thing and the value.
        asks: questions, with a place for the thing.
        values: the answers.
    """

    says: tuple[str, ...]
    asks: tuple[str, ...]
    values: tuple[str, ...]


FACTS = {
    "place": Fact(
        ("The {thing} is {value}.", "You will find the {thing} {value}.", "We left the {thing} {value}."),
        ("Where is the {thing}?", "Where would you look for the {thing}?"),
        (
            "in the cellar", "behind the barn", "under the stairs", "by the window", "on the shelf", "in the garden",
            "at the station", "next to the stove", "above the door", "in the attic", "beside the well",
            "near the bridge",
        ),
    ),
    "owner": Fact(
        ("The {thing} belongs to {value}.", "They gave the {thing} to {value}.", "I bought the {thing} from {value}."),
        ("Who is named along with the {thing}?", "Whose name is said with the {thing}?"),
        ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Lena", "Marek"),
    ),
    "day": Fact(
        ("The {thing} arrives {value}.", "We need the {thing} {value}.", "Send back the {thing} {value}."),
        ("When is the {thing} due?", "What is said about when the {thing} is due?"),
        (
            "on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday", "on Sunday",
            "at noon", "at midnight", "in March", "in June", "in October",
        ),
    ),
}  # fmt: skip
"""What is said of things, by its kind."""

ASKS = {
    "which": ("Which of these does she do?", "What is she seen to do?"),
    "after": ("What does she do right after she {does}?", "She {does}. What does she do next?"),
    "often": ("How often is it that she {does}?", "She {does}: how often?"),
    "while": ('What does she do while "{line}" is said?', 'Somebody says "{line}" What does she do meanwhile?'),
}
"""Questions about what is seen, by their type."""
