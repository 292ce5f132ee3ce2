"""The settings of Mocap-steps: how many people, which steps in which order, and how the videos are drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from kinema.core.errors import ConfigError
from kinema.data.mocap.config import MocapConfig, check_within, shared_settings

Order = Literal["fixed", "varied", "repeats"]

STEPS = (
    "walk",
    "punch",
    "jump",
    "crawl",
    "dance_b",
    "cartwheel",
    "kick",
    "run",
    "roll",
    "spin",
    "dance_a",
    "backflip",
    "spinkick",
)
"""The motions of Mocap-15 that can be repeated for as long as a step lasts: first those that differ most, then those
that resemble one that came before. Getting up can be done once only, and is no step."""

ACTIVITIES = ("workout", "routine", "circuit", "drill", "warmup", "game", "lesson", "show")
"""Names of activities, in the order in which they are used."""

BACKGROUND = "background"
"""The label of the frames in which a person stands and does nothing."""

MOST_TIMES = 3
"""How often a step occurs in a video at most, where steps recur."""

_PREFIX = "mocap_steps"

_LONGEST_TRANSITION = 1.0
"""Seconds. In a longer one a body can turn so far that there is no one way round from one pose to the next."""

_MOST_PIXELS = 1 << 28
"""Of all frames of a video, which is held in memory: 0.8 GB."""


@dataclass(frozen=True)
class MocapStepsConfig:
    """What :func:`kinema.data.mocap.steps.write_mocap_steps` writes.

    Args:
        videos: of each activity: so many people perform it, once each.
        steps: motions of an activity, at most :data:`STEPS` has.
        order: ``fixed``: the steps follow one another in the same order in every video, as in an assembly or a recipe;
            ``varied``: in another order in each; ``repeats``: in another order, and steps recur.
        activities: how many there are; each has its own steps and order, and a person performs all of them.
        seconds_min: the shortest a step may last. Durations are drawn evenly on a logarithmic scale: half as long as
            usual is as likely as twice as long.
        seconds_max: the longest.
        transition: seconds in which one step goes over into the next; the label changes in their middle.
        background: share of the frames of a video in which the person stands still, between steps, before or after.
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
        speed_range: the tempo is up to so much faster or slower, as a fraction; each step has its own.
        amplitude_range: gestures are up to so much larger or smaller, as a fraction; likewise.
        joint_noise: degrees, the strength of the smooth disturbance of every joint.
        gop: frames from one keyframe to the next.
        b_frames: B-frames between two others.
        crf: constant rate factor of x264.

    Raises:
        ConfigError: a value that no set could have; the message names it.
    """

    videos: int = 24
    steps: int = 7
    order: Order = "fixed"
    activities: int = 1
    seconds_min: float = 1.5
    seconds_max: float = 8.0
    transition: float = 0.4
    background: float = 0.0
    seed: int = 0
    size: int = 96
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
        check_within(_PREFIX, self, "videos", 1)
        self._check_steps()
        check_within(_PREFIX, self, "activities", 1, len(ACTIVITIES))
        if self.order not in get_args(Order):
            raise ConfigError(f"{_PREFIX}.order is '{self.order}'; it must be one of {', '.join(get_args(Order))}.")
        self._check_seconds()
        check_within(_PREFIX, self, "background", 0.0, 0.9)
        longest = self.most_segments * self.seconds_max * self.fps / (1 - self.background)
        if longest * self.size**2 > _MOST_PIXELS:
            raise ConfigError(
                f"A video could have {longest:.0f} frames of {self.size} x {self.size} pixels; "
                f"{_MOST_PIXELS // self.size**2} is the most, for it is held in memory.",
                "Make seconds_max, steps, background, fps or size smaller.",
            )

    def _check_steps(self) -> None:
        if not 2 <= self.steps <= len(STEPS):
            raise ConfigError(
                f"{_PREFIX}.steps is {self.steps}; it must be between 2 and {len(STEPS)}: so many recorded motions can "
                "be repeated for as long as a step lasts.",
                f"They are {', '.join(STEPS)}.",
            )

    def _check_seconds(self) -> None:
        if not self.seconds_min > 0:
            raise ConfigError(f"{_PREFIX}.seconds_min is {self.seconds_min}; it must be more than 0.")
        if not self.seconds_min <= self.seconds_max < float("inf"):
            raise ConfigError(
                f"{_PREFIX}.seconds_max is {self.seconds_max}; it must be at least seconds_min, {self.seconds_min}."
            )
        if self.seconds_min * self.fps < 2:
            raise ConfigError(
                f"{_PREFIX}.seconds_min is {self.seconds_min}, less than two frames at {self.fps} frames per second."
            )
        longest = min(_LONGEST_TRANSITION, self.seconds_min)
        if not 0 <= self.transition <= longest:
            raise ConfigError(
                f"{_PREFIX}.transition is {self.transition}; it must be between 0 and {longest}: no longer than a "
                "second, nor than the shortest step."
            )

    @property
    def most_segments(self) -> int:
        """Steps of a video, counted as often as they occur, at most."""
        return self.steps * (MOST_TIMES if self.order == "repeats" else 1)

    def drawing(self, frames: int) -> MocapConfig:
        """The settings that drawing and encoding so many frames go by."""
        return shared_settings(self, frames=frames)

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them."""
        return asdict(self)
