"""From settings to an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import cattrs
from cattrs.gen import make_dict_unstructure_fn
from torch import nn

from kinema.core.clips import SOUND, ClipSpec
from kinema.core.errors import ConfigError
from kinema.core.method import load_strictly
from kinema.networks.audio import SlimSound, SoundEncoder, SoundResNet18
from kinema.networks.flat import flat_norm_factory
from kinema.networks.video.c3d import C3D
from kinema.networks.video.i3d import I3D
from kinema.networks.video.layers import VideoEncoder, norm_factory
from kinema.networks.video.r2plus1d import R2Plus1D18, R2Plus1D26
from kinema.networks.video.r3d import R3D18, R3D26, R3D34
from kinema.networks.video.s3d import S3D
from kinema.networks.video.slim import Slim
from kinema.networks.video.vit import VideoMAE, VJepa2
from kinema.networks.video.vit_config import VITS, VitConfig

EncoderName = Literal[
    "slim", "c3d", "r3d18", "r3d26", "r3d34", "r2plus1d18", "r2plus1d26", "s3d", "i3d", "videomae", "vjepa2"
]
NormName = Literal["batch", "group"]
SoundName = Literal["slim", "resnet18"]
SLIM_WIDTH = 16


@dataclass(frozen=True)
class EncoderConfig:
    """Which network, and its few settings.

    Args:
        name: 'slim' for processors, or the papers' 'c3d', 'r3d18', 'r3d26', 'r3d34', 'r2plus1d18', 'r2plus1d26',
            's3d', 'i3d'; or a transformer, 'videomae' or 'vjepa2', which needs the extra kinema[transformers].
        width: channels of the first stage of 'slim', which gives out 8 times as many; the papers' networks have
            their own widths and take no other.
        norm: 'batch' as in the papers, or 'group', under which a clip's feature never depends on its batch-mates; of
            the convolutional networks alone.
        vit: the sizes of 'videomae' and 'vjepa2'; the others take none.
        sound: the network of the view 'sound': 'slim', or XDC's 'resnet18'; in JSON only for methods with that view, or
            where it is not the first.
    """

    name: EncoderName = "slim"
    width: int = SLIM_WIDTH
    norm: NormName = "batch"
    vit: VitConfig = field(default_factory=VitConfig)
    sound: SoundName = "slim"

    def __post_init__(self) -> None:
        if self.name not in get_args(EncoderName):
            raise ConfigError(
                f"encoder.name is '{self.name}'.", f"There are {', '.join(map(repr, get_args(EncoderName)))}."
            )
        if self.norm not in get_args(NormName):
            raise ConfigError(f"encoder.norm is '{self.norm}'.", "Choose 'batch' or 'group'.")
        if self.sound not in get_args(SoundName):
            raise ConfigError(f"encoder.sound is '{self.sound}'.", "Choose 'slim' or 'resnet18'.")
        if self.width < 1 or (self.name != "slim" and self.width != SLIM_WIDTH):
            raise ConfigError(
                f"encoder.width is {self.width} with the encoder '{self.name}'.",
                "Only 'slim' has a width to choose, from 1; leave it out for the others.",
            )
        if self.name in VITS and self.norm != "batch":
            raise ConfigError(
                f"encoder.norm is '{self.norm}' with the encoder '{self.name}'.",
                "A transformer has layer norms, under which a clip's feature never depends on its batch-mates: leave "
                "encoder.norm out.",
            )
        self.vit.check_name(self.name)

    def check(self, data: Any, needs: Sequence[Any]) -> None:  # noqa: ARG002 - the contract
        """Refuses data that are not clips, and clips that the encoder cannot take.

        Raises:
            ConfigError: a transformer's patches do not divide them, or the data have no clips.
        """
        clip = getattr(data, "clip", None)
        if clip is None:
            raise ConfigError(
                f"The encoder '{self.name}' sees clips of videos, and the data are {data.unit}.",
                "Choose a network that reads them.",
            )
        self.check_clip(clip)

    def check_clip(self, clip: ClipSpec) -> None:
        """Refuses clips that the encoder cannot take.

        Raises:
            ConfigError: a transformer's patches do not divide them.
        """
        if self.name in VITS:
            self.vit.check_clip(clip)

    def fits(self, loaded: Any) -> None:
        """Clips are made ready in one way, which every network takes."""

    def replaced_by(self, weights: str) -> EncoderConfig:  # noqa: ARG002 - the contract
        """These settings: the name of a network of clips is chosen, and not found in its weights."""
        return self

    def with_sizes_of(self, weights: str) -> EncoderConfig:
        """The settings with the sizes that a folder of weights says, where it says any."""
        from kinema.networks.hugging_face import with_sizes_of

        return with_sizes_of(self, weights)

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:
        """Loads a file of weights into a tower's encoder; see :func:`kinema.networks.weights.encoder_state`.

        False where the file is of another number of channels, or the view is 'sound', for which weights of pictures
        cannot be used.
        """
        from kinema.networks.weights import encoder_state

        if view == SOUND:
            return False
        network: Any = tower.encoder
        state = encoder_state(network, self, path)
        first = next(iter(network.state_dict()))  # the convolution that takes the view in
        fits = first not in state or state[first].shape[1] == network.channels
        if fits:
            load_strictly(network, state, f"the encoder '{self.name}'")
        return fits


def omit_unused_settings(converter: cattrs.Converter) -> cattrs.Converter:
    """Makes a converter leave out an encoder's unused settings; returns it.

    A transformer's sizes are written for transformers only, and the network for sound where it is not the default.
    """
    whole = make_dict_unstructure_fn(EncoderConfig, converter)

    def plain(config: EncoderConfig) -> dict[str, Any]:
        unused = {"vit": config.name not in VITS, "sound": config.sound == "slim"}
        return {key: value for key, value in whole(config).items() if not unused.get(key, False)}

    converter.register_unstructure_hook(EncoderConfig, plain)
    return converter


def build_encoder(config: EncoderConfig, channels: int = 3, *, rgb: bool = True) -> VideoEncoder:
    """The encoder that ``config`` describes, freshly initialised from torch's global random state.

    Args:
        config: which network.
        channels: what it takes in: 3 for RGB and the residual, 2 for motion.
        rgb: whether three channels are the colours of the view 'rgb', for 'videomae' and 'vjepa2', which see them as
            their published weights expect.

    Raises:
        ConfigError: ``channels`` is below 1.
        MissingExtraError: a transformer without the extra kinema[transformers].
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
        case "videomae":
            return VideoMAE(channels, config.vit, colours=rgb and channels == 3)
        case "vjepa2":
            return VJepa2(channels, config.vit, colours=rgb and channels == 3)


def build_sound_encoder(config: EncoderConfig) -> SoundEncoder:
    """The encoder of the view 'sound' that ``config`` describes, freshly initialised from torch's global state."""
    norm = flat_norm_factory(config.norm)
    return SoundResNet18(norm) if config.sound == "resnet18" else SlimSound(config.width, norm)
