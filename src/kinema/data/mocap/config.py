"""The settings of Mocap-15: how much there is, how biased, how difficult, and how it is encoded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from kinema.core.errors import ConfigError

CLASSES = (
    "backflip",
    "cartwheel",
    "crawl",
    "dance_a",
    "dance_b",
    "getup_facedown",
    "getup_faceup",
    "jump",
    "kick",
    "punch",
    "roll",
    "run",
    "spin",
    "spinkick",
    "walk",
)
"""The fifteen recorded motions, in the order of their labels."""

PARTS = ("matched", "unbiased", "swapped")
"""The parts of the test set: scenes of the own class, of any class, of another class."""


@dataclass(frozen=True)
class MocapConfig:
    """What :func:`kinema.data.mocap.write_mocap` writes.

    Args:
        clips_per_class: training recordings a class, one video each.
        test_per_class: test performances a class. Each is shown in every part, in another scene: the parts differ in
            their scenes and in nothing else. There are thus ``len(parts) * test_per_class`` test videos a class.
        parts: the parts of the test set that are made. Leaving one out does not change the others.
        bias: probability that a training recording takes place in a scene of its class's family. Otherwise the family
            is drawn from all fifteen with equal probability, so it equals the class with ``bias + (1 - bias) / 15``.
        seed: every choice follows from it.
        size: pixels, width and height of the videos; even.
        fps: frames per second.
        frames: frames of a video.
        actors_train: people who perform for training.
        actors_test: people who perform for the test; none of them is among the former.
        scenes_train: scenes of each of the fifteen families for training.
        scenes_test: scenes of each family for the test; none of them is among the former.
        view_range: degrees of azimuth over which the camera is spread, around a view from half left or half right
            in front; 0 is one view, 360 is all round.
        elevation_range: the camera looks down by up to so many degrees.
        clutter: 0 is a plain backdrop, 1 a scene crowded with sharp-edged shapes.
        scene_contrast: 0 is one even grey everywhere, 1 strong colours and patterns: how much of a place is seen.
        limb_contrast: 0 dresses people in muted colours near those of the scenes, 1 in strong ones.
        camera_follows: whether the camera moves with the person; otherwise it is still, and covers their whole path.
        camera_motion: 0 for a camera that does nothing else, 1 for one that also pans and orbits slowly, more for a
            livelier one. Scenes stand still with 0 and a camera that does not follow.
        speed_range: the tempo is up to so much faster or slower, as a fraction.
        amplitude_range: gestures are up to so much larger or smaller about their mean pose, as a fraction.
        joint_noise: degrees, the strength of the smooth disturbance of every joint.
        gop: frames from one keyframe to the next.
        b_frames: B-frames between two others.
        crf: constant rate factor of x264: 0 keeps everything, 51 next to nothing.
        sound: whether the videos have sound: strikes, landings and swings of the motion, as AAC. It changes no frame.
        sound_noise: standard deviation of the noise in the sound, full scale being 1.
        sound_mismatch: probability that a training recording has the sound of another one, of another class. The test
            set's sounds are always its own.

    Raises:
        ConfigError: a value that no set could have; the message names it.
    """

    clips_per_class: int = 80
    test_per_class: int = 20
    parts: tuple[str, ...] = PARTS
    bias: float = 0.0
    seed: int = 0
    size: int = 96
    fps: int = 30
    frames: int = 48
    actors_train: int = 8
    actors_test: int = 20
    scenes_train: int = 1
    scenes_test: int = 1
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
    sound: bool = False
    sound_noise: float = 0.002
    sound_mismatch: float = 0.0

    def __post_init__(self) -> None:
        for name in ("clips_per_class", "actors_train", "actors_test", "scenes_train", "scenes_test", "gop", "fps"):
            self._within(name, 1, None)
        self._within("frames", 2, None)
        for name in ("test_per_class", "b_frames", "seed"):
            self._within(name, 0, None)
        self._within("size", 32, 1024)
        self._within("crf", 0, 51)
        for name in ("bias", "clutter", "scene_contrast", "limb_contrast"):
            self._within(name, 0.0, 1.0)
        self._within("view_range", 0.0, 360.0)
        self._within("elevation_range", 0.0, 80.0)
        self._within("camera_motion", 0.0, 5.0)
        self._within("speed_range", 0.0, 0.8)
        self._within("amplitude_range", 0.0, 0.5)
        self._within("joint_noise", 0.0, 30.0)
        self._within("sound_noise", 0.0, 1.0)
        self._within("sound_mismatch", 0.0, 1.0)
        if not set(self.parts) <= set(PARTS) or len(set(self.parts)) != len(self.parts) or not self.parts:
            raise ConfigError(f"mocap.parts is {list(self.parts)}; name one or more of {', '.join(PARTS)}, each once.")
        if self.size % 2:
            raise ConfigError(f"mocap.size is {self.size}; H.264 in yuv420p needs an even number of pixels.")
        if self.b_frames >= self.gop and self.b_frames:
            raise ConfigError(f"mocap.b_frames is {self.b_frames}, which does not fit into mocap.gop {self.gop}.")

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them; those that came later are left out where they change nothing."""
        plain = asdict(self) | {"parts": list(self.parts)}
        if self.camera_follows:
            del plain["camera_follows"]
        return {name: value for name, value in plain.items() if self.sound or not name.startswith("sound")}

    def _within(self, name: str, low: float, high: float | None) -> None:
        check_within("mocap", self, name, low, high)


def shared_settings(config: Any, **changes: Any) -> MocapConfig:
    """The settings that drawing goes by, from those of a data set that has some of them under the same names.

    Args:
        config: a dataclass; its fields that :class:`MocapConfig` does not have are left out.
        changes: what it has none of, for instance ``frames``.

    Raises:
        ConfigError: a value that Mocap-15 could not have either.
    """
    known = {field.name for field in fields(MocapConfig)}
    return MocapConfig(**{name: value for name, value in asdict(config).items() if name in known} | changes)


def check_within(prefix: str, config: object, name: str, low: float, high: float | None = None) -> None:
    """Refuses a setting that is not within its bounds.

    Args:
        prefix: whose settings they are, for the message.
        config: the settings.
        name: the field.
        low: the smallest value it may have.
        high: the largest; None for any.

    Raises:
        ConfigError: it is smaller, larger or no number.
    """
    value = getattr(config, name)
    if not (value >= low and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ConfigError(f"{prefix}.{name} is {value}; it must be {bounds}.")
