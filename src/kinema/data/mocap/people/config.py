"""The settings of Mocap-people: how many people and cameras, what tells people apart, and how they are drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from kinema.core.errors import ConfigError
from kinema.data.mocap.config import CLASSES, MocapConfig, check_within, shared_settings

Identity = Literal["clothes", "body"]

MOTIONS = tuple(name for name in CLASSES if not name.startswith("getup"))
"""The motions of Mocap-15 that can go on for as long as a tracklet lasts."""

_PREFIX = "mocap_people"

_MOST_PIXELS = 1 << 27
"""Of all frames of a tracklet, which is held in memory: 0.4 GB."""


@dataclass(frozen=True)
class MocapPeopleConfig:
    """What :func:`kinema.data.mocap.people.write_mocap_people` writes.

    Args:
        people: how many; half of them, drawn by chance, are 'train' and the others 'test'.
        cameras: each has its own place, side from which it looks, size at which it sees people, light and colours.
        tracklets: of each person in each camera; with two, the rule 'torchreid' has a gallery.
        frames: of each tracklet.
        identity: what tells people apart. ``clothes``: all have one build and one gait, and clothes of their own;
            ``body``: all wear the same, and only build and gait tell.
        proportions: for ``body``, how far people differ in what stands still: lengths, widths and girth, size of the
            head, and how they hold themselves. 0 is all alike, 1 as people do, 2 twice as much.
        gait: for ``body``, how far they differ in what moves: tempo, stride, swing of the arms, bounce, limp, and which
            limb is ahead of which. 0 is all alike.
        shift: every crop is displaced by up to this fraction of its height and width, and up to so much larger or
            smaller, by chance: what a bad detector does.
        motions: which of :data:`MOTIONS` they perform; every tracklet has one of them, drawn by chance.
        seed: every choice follows from it.
        height: pixels of a crop.
        width: pixels, as the height.
        fps: frames per second.
        camera_range: degrees over which the cameras are spread round people: 360 is on all sides, 0 has all of them at
            people's sides.
        view_range: degrees over which the directions are spread in which people walk before one camera.
        elevation_range: cameras look down by up to so many degrees.
        clutter: 0 is a plain backdrop, 1 a crowded one. This and what follows is as in
            :class:`~kinema.data.mocap.MocapConfig`.
        scene_contrast: 0 is one even grey everywhere, 1 strong colours and patterns.
        limb_contrast: 0 dresses people in muted colours, 1 in strong ones.
        speed_range: the tempo of a tracklet is up to so much faster or slower than the person's, as a fraction.
        amplitude_range: gestures are up to so much larger or smaller, as a fraction; likewise.
        joint_noise: degrees, the strength of the smooth disturbance of every joint; likewise.

    Raises:
        ConfigError: a value that no set could have; the message names it.
    """

    people: int = 60
    cameras: int = 4
    tracklets: int = 2
    frames: int = 24
    identity: Identity = "clothes"
    proportions: float = 1.0
    gait: float = 1.0
    shift: float = 0.0
    motions: tuple[str, ...] = ("walk",)
    seed: int = 0
    height: int = 128
    width: int = 64
    fps: int = 10
    camera_range: float = 360.0
    view_range: float = 60.0
    elevation_range: float = 25.0
    clutter: float = 0.3
    scene_contrast: float = 0.5
    limb_contrast: float = 0.9
    speed_range: float = 0.03
    amplitude_range: float = 0.05
    joint_noise: float = 4.0

    def __post_init__(self) -> None:
        self.drawing()  # refuses what Mocap-15 refuses
        check_within(_PREFIX, self, "people", 2, 9999)
        check_within(_PREFIX, self, "cameras", 1, 99)
        check_within(_PREFIX, self, "tracklets", 1, 9999)
        if self.identity not in get_args(Identity):
            raise ConfigError(
                f"{_PREFIX}.identity is '{self.identity}'; it must be one of {', '.join(get_args(Identity))}."
            )
        check_within(_PREFIX, self, "proportions", 0.0, 2.0)
        check_within(_PREFIX, self, "gait", 0.0, 2.0)
        if self.identity == "body" and self.proportions == self.gait == 0.0:
            raise ConfigError(
                f"{_PREFIX}.proportions and {_PREFIX}.gait are 0, so nothing tells people apart who wear the same.",
                "Make one of them more than 0, or identity clothes.",
            )
        check_within(_PREFIX, self, "camera_range", 0.0, 360.0)
        check_within(_PREFIX, self, "shift", 0.0, 0.5)
        self._check_motions()
        for name in ("height", "width"):
            check_within(_PREFIX, self, name, 32, 512)
        if self.frames * self.picture**2 > _MOST_PIXELS:
            raise ConfigError(
                f"A tracklet would have {self.frames} frames of {self.picture} x {self.picture} pixels before they are "
                f"cut; {_MOST_PIXELS // self.picture**2} frames is the most, for they are held in memory.",
                "Make frames, height, width or shift smaller.",
            )

    def _check_motions(self) -> None:
        wrong = [name for name in self.motions if name not in MOTIONS]
        if wrong or not self.motions or len(set(self.motions)) < len(self.motions):
            raise ConfigError(
                f"{_PREFIX}.motions is {list(self.motions)}; name one or more, each once.",
                f"Motions that can be repeated for as long as a tracklet lasts are {', '.join(MOTIONS)}.",
            )

    @property
    def room(self) -> float:
        """How much larger than a crop the picture is that crops are cut from."""
        return 1.0 + 3.0 * self.shift

    @property
    def picture(self) -> int:
        """Pixels, width and height, of the largest picture that crops are cut from."""
        return round(max(self.height, self.width) * self.room)

    def drawing(self) -> MocapConfig:
        """The settings that drawing goes by."""
        return shared_settings(self)

    def record(self) -> dict[str, Any]:
        """The settings as ``dataset.json`` has them."""
        return asdict(self) | {"motions": list(self.motions)}
