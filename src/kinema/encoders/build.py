"""From settings to an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from kinema.core.errors import ConfigError
from kinema.encoders.c3d import C3D
from kinema.encoders.i3d import I3D
from kinema.encoders.layers import VideoEncoder, norm_factory
from kinema.encoders.r2plus1d import R2Plus1D18, R2Plus1D26
from kinema.encoders.r3d import R3D18, R3D26, R3D34
from kinema.encoders.s3d import S3D
from kinema.encoders.slim import Slim

EncoderName = Literal["slim", "c3d", "r3d18", "r3d26", "r3d34", "r2plus1d18", "r2plus1d26", "s3d", "i3d"]
NormName = Literal["batch", "group"]
SLIM_WIDTH = 16


@dataclass(frozen=True)
class EncoderConfig:
    """Which network, and its few settings.

    Args:
        name: 'slim' for processors, or the papers' 'c3d', 'r3d18', 'r3d26', 'r3d34', 'r2plus1d18', 'r2plus1d26',
            's3d', 'i3d'.
        width: channels of the first stage of 'slim', which gives out 8 times as many; the papers' networks have
            their own widths and take no other.
        norm: 'batch' as in the papers, or 'group', under which a clip's feature never depends on its batch-mates.
    """

    name: EncoderName = "slim"
    width: int = SLIM_WIDTH
    norm: NormName = "batch"

    def __post_init__(self) -> None:
        if self.name not in get_args(EncoderName):
            raise ConfigError(
                f"encoder.name is '{self.name}'.", f"There are {', '.join(map(repr, get_args(EncoderName)))}."
            )
        if self.norm not in get_args(NormName):
            raise ConfigError(f"encoder.norm is '{self.norm}'.", "Choose 'batch' or 'group'.")
        if self.width < 1 or (self.name != "slim" and self.width != SLIM_WIDTH):
            raise ConfigError(
                f"encoder.width is {self.width} with the encoder '{self.name}'.",
                "Only 'slim' has a width to choose, from 1; leave it out for the others.",
            )


def build_encoder(config: EncoderConfig, channels: int = 3) -> VideoEncoder:
    """The encoder that ``config`` describes, freshly initialised from torch's global random state.

    Args:
        config: which network.
        channels: what it takes in: 3 for RGB and the residual, 2 for motion.

    Raises:
        ConfigError: ``channels`` is below 1.
    """
    norm = norm_factory(config.norm, eps=1e-3 if config.name in ("s3d", "i3d") else 1e-5)
    match config.name:
        case "slim":
            return Slim(channels, config.width, norm)
        case "c3d":
            return C3D(channels, norm)
        case "r3d18":
            return R3D18(channels, norm)
        case "r3d26":
            return R3D26(channels, norm)
        case "r3d34":
            return R3D34(channels, norm)
        case "r2plus1d18":
            return R2Plus1D18(channels, norm)
        case "r2plus1d26":
            return R2Plus1D26(channels, norm)
        case "s3d":
            return S3D(channels, norm)
        case "i3d":
            return I3D(channels, norm)
