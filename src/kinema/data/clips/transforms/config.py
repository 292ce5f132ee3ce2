"""The strength of the augmentation, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from kinema.core.clips import Disturbance
from kinema.core.errors import ConfigError
from kinema.data.clips.transforms.sound import SoundAugment


@dataclass(frozen=True)
class TransformConfig:
    """How far a training view may differ from the clip it shows.

    The defaults are those of CoCLR and CPR (Wu et al. 2022, after the authors' code), with the aspect ratios of SimCLR.

    Args:
        area_min: the smallest crop, as a fraction of the frame's area.
        area_max: the largest crop, as a fraction of the frame's area.
        aspect: the narrowest and the widest crop, width / height in pixels of the frame.
        crop: above 0, crops are squares of this share of the frame's shorter side, at any place, and areas and aspects
            are not read: .875 cuts 224 pixels of 256.
        flip: probability of a horizontal flip.
        jitter: strengths of brightness, contrast, saturation (factors within 1 ± strength) and hue (turns within
            ± strength of the colour circle).
        jitter_p: probability that the colours are jittered at all.
        grey_p: probability that the clip loses its colours.
        blur_p: probability of a Gaussian blur.
        blur_sigma: the smallest and the largest standard deviation of the blur, pixels of the view.
        plain_second: probability that the second variant of a clip is only cropped and flipped, its colours and
            sharpness left alone.
        plain_pairs: CoCLR's rule in place of that: where both variants are one window of the video, one of the two,
            either, is left plain; where they are two windows, each is with probability .7.
        rotation: degrees by which every variant, and the window elsewhere, is turned at most, each by its own draw;
            where the turned picture ends, its border is repeated.
        disturb: what is done after that to variants, and which negatives are made of them, in this order.
        sound: the augmentation of sound, for methods with the view 'sound'; recipes of others do not have it.
    """

    area_min: float = 0.2
    area_max: float = 1.0
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    crop: float = 0.0
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    jitter_p: float = 0.8
    grey_p: float = 0.2
    blur_p: float = 0.5
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    plain_second: float = 0.0
    plain_pairs: bool = False
    rotation: float = 0.0
    disturb: tuple[Disturbance, ...] = ()
    sound: SoundAugment = field(default_factory=SoundAugment)

    def __post_init__(self) -> None:
        for name in ("flip", "jitter_p", "grey_p", "blur_p", "plain_second"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"transform.{name} is {value}; a probability lies between 0 and 1.")
        if not 0 <= self.crop <= 1:
            raise ConfigError(f"transform.crop is {self.crop}; it is a share of the shorter side, or 0 for areas.")
        if not 0 <= self.rotation <= 180:
            raise ConfigError(f"transform.rotation is {self.rotation}; it must lie in [0, 180].")
        if self.plain_pairs and self.plain_second:
            raise ConfigError(
                f"transform.plain_pairs is set beside transform.plain_second = {self.plain_second}; each says what is "
                "left plain.",
                "Leave one of them out.",
            )
        if not 0 < self.area_min <= self.area_max <= 1:
            raise ConfigError(
                f"transform.area_min is {self.area_min} and transform.area_max is {self.area_max}; "
                "crops need 0 < area_min <= area_max <= 1."
            )
        if len(self.aspect) != 2 or not 0 < self.aspect[0] <= self.aspect[1] < float("inf"):
            raise ConfigError(
                f"transform.aspect is {self.aspect}; expected two ratios width / height, 0 < narrowest <= widest."
            )
        if len(self.jitter) != 4 or not all(0 <= s < 1 for s in self.jitter[:3]) or not 0 <= self.jitter[3] <= 0.5:
            raise ConfigError(
                f"transform.jitter is {self.jitter}; expected brightness, contrast and saturation in [0, 1) "
                "and hue in [0, 0.5]."
            )
        if len(self.blur_sigma) != 2 or not 0 < self.blur_sigma[0] <= self.blur_sigma[1] < float("inf"):
            raise ConfigError(
                f"transform.blur_sigma is {self.blur_sigma}; expected two pixel widths, 0 < smallest <= largest.",
                "To switch the blur off, set transform.blur_p to 0.",
            )
