"""The settings of Mocap-QA: how many videos and people, how much is said, and how the videos are drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kinema.core.errors import ConfigError
from kinema.data.mocap.config import MocapConfig, check_within, shared_settings
from kinema.data.mocap.steps.config import STEPS

TYPES = ("said", "which", "after", "often", "while")
"""The kinds of questions: answered by subtitles alone, by sight alone (three), and by both at the right time."""

OPTIONS = 4
"""Of a question."""

SPLITS = ("train", "val", "test")
"""The sides; no person and no place is on two of them."""

_PREFIX = "mocap_qa"


@dataclass(frozen=True)
class MocapQAConfig:
    """What :func:`kinema.data.mocap.qa.write_mocap_qa` writes.

    Args:
        videos: of every two, one has five to seven motions, all different, and the other four motions in seven
            stretches: one of them three times, one twice. Each has ten questions.
        people: who perform, two videos each and then in turn; no person is on two sides.
        val: the share of the people that is 'val'.
        test: the share that is 'test'; the others are 'train'.
        motions: how many motions there are, the first of :data:`~kinema.data.mocap.steps.config.STEPS`: those that
            differ most come first. At least 10: seven that are performed and three that are not.
        seconds_min: the shortest a motion lasts.
        seconds_max: the longest.
        transition: seconds in which one motion goes over into the next; nothing is said in them.
        silent: the share of the motions over which nothing is said.
        seed: every choice follows from it.
        size: pixels, width and height of the videos; even.
        fps: frames per second.
        view_range: degrees of azimuth over which the cameras are spread. This and what follows is as in
            :class:`~kinema.data.mocap.MocapConfig`.
        elevation_range: the camera looks down by up to so many degrees.
        clutter: 0 is a plain backdrop, 1 a crowded one.
        scene_contrast: 0 is one even grey everywhere, 1 strong colours and patterns.
        limb_contrast: 0 dresses people in muted colours, 1 in strong ones.
        camera_follows: whether the camera moves with the person; otherwise it is still, and covers their whole path.
        camera_motion: 0 for a camera that does nothing else, 1 for one that also pans and orbits slowly.
        speed_range: the tempo is up to so much faster or slower, as a fraction; each motion has its own.
        amplitude_range: gestures are up to so much larger or smaller, as a fraction; likewise.
        joint_noise: degrees, the strength of the smooth disturbance of every joint.
        gop: frames from one keyframe to the next.
        b_frames: B-frames between two others.
        crf: constant rate factor of x264.

    Raises:
        ConfigError: a value that no set could have; the message names it.
    """

    videos: int = 240
    people: int = 120
    val: float = 0.15
    test: float = 0.25
    motions: int = 10
    seconds_min: float = 1.6
    seconds_max: float = 2.4
    transition: float = 0.4
    silent: float = 0.1
    seed: int = 0
    size: int = 72
    fps: int = 30
    view_range: float = 60.0
    elevation_range: float = 20.0
    clutter: float = 0.0
    scene_contrast: float = 0.3
    limb_contrast: float = 0.9
    camera_follows: bool = True
    camera_motion: float = 0.5
    speed_range: float = 0.2
    amplitude_range: float = 0.15
    joint_noise: float = 3.0
    gop: int = 12
    b_frames: int = 0
    crf: int = 23

    def __post_init__(self) -> None:
        self.drawing(2)  # refuses what Mocap-15 refuses
        check_within(_PREFIX, self, "videos", 1, 9999)
        check_within(_PREFIX, self, "people", 1, 9999)
        check_within(_PREFIX, self, "motions", 10, len(STEPS))
        check_within(_PREFIX, self, "silent", 0.0, 0.9)
        check_within(_PREFIX, self, "val", 0.0, 1.0)
        check_within(_PREFIX, self, "test", 0.0, 1.0)
        if self.val + self.test >= 1 or self.sides[0] < 1:
            raise ConfigError(
                f"{_PREFIX}.val is {self.val}, {_PREFIX}.test {self.test}: none of {self.people} people is 'train'.",
                "Choose smaller shares, or more people.",
            )
        check_within(_PREFIX, self, "seconds_min", 0.5, 10.0)
        check_within(_PREFIX, self, "seconds_max", self.seconds_min, 10.0)
        check_within(_PREFIX, self, "transition", 0.0, min(1.0, self.seconds_min / 2))

    @property
    def sides(self) -> tuple[int, int, int]:
        """How many people are train, val and test."""
        val, test = round(self.people * self.val), round(self.people * self.test)
        return self.people - val - test, val, test

    def drawing(self, frames: int) -> MocapConfig:
        """The settings that drawing and encoding so many frames go by."""
        return shared_settings(self, frames=frames)

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them."""
        return asdict(self)
