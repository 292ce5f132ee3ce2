"""The settings of a network of pictures, and from settings to a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor, nn

from kinema.core.errors import ConfigError
from kinema.core.method import load_strictly
from kinema.networks.flat import flat_norm_factory
from kinema.networks.images.convnet import ConvNet
from kinema.networks.images.encoder import Features, ImageEncoder
from kinema.networks.images.library import TimmNet

ImageName = Literal["convnet", "timm", "features"]
WIDTH = 32
"""Channels of the small network's stem."""


@dataclass(frozen=True)
class ImageConfig:
    """Which network of pictures, and its sizes.

    Args:
        name: 'convnet', a small residual network for processors; 'timm', any network of the package ``timm``; or
            'features', where frames are features already.
        width: of 'convnet': channels of its stem; a feature has eight times as many.
        norm: of 'convnet': 'batch', or 'group', under which a feature never depends on its batch-mates.
        model: of 'timm': the name that ``timm`` gives it, for instance 'resnet50'.
        features: of 'features': F, features of a frame; 0 until the data are known.
    """

    name: ImageName = "convnet"
    width: int = WIDTH
    norm: Literal["batch", "group"] = "batch"
    model: str = ""
    features: int = 0

    def __post_init__(self) -> None:
        if self.name not in get_args(ImageName):
            raise ConfigError(f"encoder.name is '{self.name}'.", "Choose 'convnet', 'timm' or 'features'.")
        if self.norm not in ("batch", "group"):
            raise ConfigError(f"encoder.norm is '{self.norm}'.", "Choose 'batch' or 'group'.")
        if self.width < 1 or self.features < 0:
            raise ConfigError(
                f"encoder.width is {self.width} and features {self.features}; at least 1 and 0 are needed."
            )
        for key, owner, unset in (
            ("width", "convnet", WIDTH),
            ("norm", "convnet", "batch"),
            ("model", "timm", ""),
            ("features", "features", 0),
        ):
            if self.name != owner and getattr(self, key) != unset:
                raise ConfigError(
                    f"encoder.{key} is '{getattr(self, key)}' with the encoder '{self.name}'.",
                    f"It is of the encoder '{owner}' alone: leave it out, or set encoder.name to {owner}.",
                )
        if self.name == "timm" and not self.model:
            raise ConfigError(
                "The encoder is 'timm', and it is not said which of its networks.",
                "Set encoder.model, to resnet50 say.",
            )

    def check(self, data: Any, needs: Sequence[Any]) -> None:  # noqa: ARG002 - the contract
        """Refuses data that are not tracklets, and features where crops are wanted.

        Raises:
            ConfigError: says what does not fit.
        """
        if data.unit != "tracklets":
            raise ConfigError(
                f"The encoder '{self.name}' sees crops of tracklets, and the data are {data.unit}.",
                "Choose a network that reads them.",
            )
        if data.features and self.name != "features":
            raise ConfigError(
                f"data.features makes features of the crops, and the encoder '{self.name}' sees crops.",
                "Set encoder.name to features, or leave data.features out.",
            )

    def replaced_by(self, weights: str) -> ImageConfig:  # noqa: ARG002 - the contract
        """These settings: the name of a network of pictures is chosen, and not found in its weights."""
        return self

    def with_sizes_of(self, weights: str) -> ImageConfig:
        """These settings.

        Raises:
            ConfigError: weights were named, and the network has none.
        """
        if weights and self.name == "features":
            raise ConfigError(
                f"The encoder 'features' has no weights, and weights are '{weights}'.", "Leave weights out."
            )
        return self

    def fits(self, loaded: Any) -> None:
        """Refuses crops where features are wanted, the other way round, and features of another width.

        Raises:
            ConfigError: says what frames are.
        """
        if loaded.features == self.features:
            return
        there = f"have {loaded.features} features a frame" if loaded.features else "are crops"
        wanted = f"takes {self.features} features a frame" if self.name == "features" else "sees crops"
        raise ConfigError(
            f"The encoder '{self.name}' {wanted}, and the data {there}.",
            "Leave encoder.features out: the data tell it."
            if self.name == "features" and loaded.features
            else "Choose convnet or timm for crops, and features for features.",
        )

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:  # noqa: ARG002 - there is one view
        """Loads a file of weights into a tower's encoder, strictly.

        Args:
            view: the tower's.
            tower: has an ``encoder`` that these settings describe.
            path: .safetensors or .pth, with the keys of a tower of kinema's, of its encoder, or of ``timm``, whose
                classifier is left out.

        Raises:
            CheckpointError: it cannot be read, or keys or shapes do not fit; they are named.
        """
        from kinema.networks.weights import read_state

        network: Any = tower.encoder
        what = f"the encoder '{self.model or self.name}'"
        load_strictly(network, _own_keys(network, read_state(path)), what)
        return True


def build_image_encoder(config: ImageConfig) -> ImageEncoder:
    """The network that ``config`` describes, freshly initialised from torch's global random state.

    Raises:
        ConfigError: it is not known how many features a frame has, or ``timm`` has no such network.
        MissingExtraError: a network of ``timm`` without the extra kinema[images].
    """
    match config.name:
        case "convnet":
            return ConvNet(config.width, flat_norm_factory(config.norm))
        case "timm":
            return TimmNet(config.model)
        case "features":
            return Features(config.features)


def _own_keys(network: ImageEncoder, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a file under the network's own keys: that of a tower without its head, of timm's without its own."""
    inside = {key.removeprefix("encoder."): x for key, x in state.items() if key.startswith("encoder.")}
    if inside:
        return inside
    if not isinstance(network, TimmNet) or any(key.startswith("net.") for key in state):
        return state
    left_out = tuple(f"{name}." for name in network.classifiers)
    return {f"net.{key}": x for key, x in state.items() if not (left_out and key.startswith(left_out))}
