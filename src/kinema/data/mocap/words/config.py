"""The settings of Mocap-words: how many pairs, how much sentences say, what the labels are, and how it is drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinema.core.errors import ConfigError
from kinema.data.mocap.config import MocapConfig, check_within, shared_settings

LABELS = ("motion", "colour", "place")
"""What a picture can be labelled with."""

_PREFIX = "mocap_words"


@dataclass(frozen=True)
class MocapWordsConfig:
    """What :func:`kinema.data.mocap.words.write_mocap_words` writes.

    Args:
        pairs: pictures, each of a performance of its own, with its sentence.
        people: who perform, each with a build, skin and hair; no person is on both sides.
        held_out: the share of the people that are 'test'; the others are 'train'.
        labels: what a picture is labelled with: 'motion', 'colour' (of the top), 'place'; one or more.
        partial: the share of sentences that do not say both motion and colour, but one of them.
        synonyms: the share of wordings that only one side uses: a word that is only in the test's sentences cannot be
            learnt from the training's. 0 has both sides write alike.
        seed: every choice follows from it.
        size: pixels, width and height of a picture.
        scenes: places of each of the fifteen families and each side.
        view_range: degrees of azimuth over which the camera is spread. This and what follows is as in
            :class:`~kinema.data.mocap.MocapConfig`.
        elevation_range: the camera looks down by up to so many degrees.
        clutter: 0 is a plain backdrop, 1 a crowded one.
        scene_contrast: 0 is one even grey everywhere, 1 strong colours and patterns.
        amplitude_range: gestures are up to so much larger or smaller, as a fraction.
        joint_noise: degrees, the strength of the disturbance of every joint.

    Raises:
        ConfigError: a value that no set could have; the message names it.
    """

    pairs: int = 1500
    people: int = 40
    held_out: float = 0.25
    labels: tuple[str, ...] = ("motion", "colour")
    partial: float = 0.3
    synonyms: float = 0.2
    seed: int = 0
    size: int = 64
    scenes: int = 2
    view_range: float = 60.0
    elevation_range: float = 20.0
    clutter: float = 0.1
    scene_contrast: float = 0.5
    amplitude_range: float = 0.1
    joint_noise: float = 3.0

    def __post_init__(self) -> None:
        self.drawing()  # refuses what Mocap-15 refuses
        check_within(_PREFIX, self, "pairs", 2, 999_999)
        check_within(_PREFIX, self, "people", 2, 9999)
        check_within(_PREFIX, self, "scenes", 1, 99)
        for name in ("held_out", "partial", "synonyms"):
            check_within(_PREFIX, self, name, 0.0, 1.0)
        if not 1 <= self.tested < self.people:
            raise ConfigError(
                f"{_PREFIX}.held_out is {self.held_out}, so {self.tested} of {self.people} people are 'test'; both "
                "sides need someone.",
                "Choose another share, or more people.",
            )
        if not self.labels or len(set(self.labels)) < len(self.labels) or not set(self.labels) <= set(LABELS):
            raise ConfigError(
                f"{_PREFIX}.labels is {list(self.labels)}; name one or more of {', '.join(LABELS)}, each once."
            )

    @property
    def tested(self) -> int:
        """How many people are 'test'."""
        return round(self.people * self.held_out)

    def drawing(self) -> MocapConfig:
        """The settings that drawing goes by."""
        return shared_settings(self, frames=2, camera_motion=0.0)

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them."""
        return asdict(self) | {"labels": list(self.labels)}
