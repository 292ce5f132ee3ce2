"""Networks of single frames' features: the small perceptrons of activity segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class MLPConfig:
    """A perceptron of two layers over each frame's features.

    Args:
        name: the network, 'mlp'; there is no other.
        features: F, what it takes in; 0 until the data are known.
        hidden: width of the first layer; 0 for the method's own.
        dim: d, what it gives out; 0 for the method's own.
        activation: 'sigmoid' after both layers (TOT), or 'relu' after the first (ASOT); empty for the method's own.
    """

    name: Literal["mlp"] = "mlp"
    features: int = 0
    hidden: int = 0
    dim: int = 0
    activation: Literal["", "sigmoid", "relu"] = ""

    def __post_init__(self) -> None:
        if min(self.features, self.hidden, self.dim) < 0:
            raise ConfigError(
                f"encoder.features is {self.features}, hidden {self.hidden} and dim {self.dim}; none may be negative."
            )
        if self.activation not in ("", "sigmoid", "relu"):
            raise ConfigError(f"encoder.activation is '{self.activation}'.", "Choose 'sigmoid' or 'relu'.")

    def check(self, data: Any, needs: Sequence[Any]) -> None:  # noqa: ARG002 - the contract
        """Refuses data that are not sequences of features.

        Raises:
            ConfigError: says what they are.
        """
        if data.unit != "sequences":
            raise ConfigError(
                f"The encoder 'mlp' reads features of frames, and the data are {data.unit}.",
                "Choose a network that reads them.",
            )

    def replaced_by(self, weights: str) -> MLPConfig:  # noqa: ARG002 - the contract
        """These settings: weights name no network of frames."""
        return self

    def with_sizes_of(self, weights: str) -> MLPConfig:
        """These settings.

        Raises:
            ConfigError: weights were named, and no file holds any of such a network.
        """
        if weights:
            raise ConfigError(f"The encoder 'mlp' starts at random, and weights are '{weights}'.", "Leave weights out.")
        return self

    def fits(self, loaded: Any) -> None:
        """Refuses features of another width.

        Raises:
            ConfigError: names both widths.
        """
        widths = {row.width for row in loaded.table.rows}
        if widths - {self.features}:
            raise ConfigError(
                f"The encoder takes {self.features} features a frame, and the data have {min(widths)}.",
                "Leave encoder.features out: the data tell it.",
            )

    def load_weights(self, view: str, tower: nn.Module, path: Path) -> bool:  # noqa: ARG002 - the contract
        """False: no file of weights is of such a network."""
        return False

    def resolved(self, hidden: int, dim: int, activation: Literal["sigmoid", "relu"]) -> MLPConfig:
        """The settings with a method's own sizes where none were set; hidden is the given one, or twice ``dim``."""
        dim = self.dim or dim
        return replace(self, hidden=self.hidden or hidden or 2 * dim, dim=dim, activation=self.activation or activation)


class FrameMLP(nn.Module):
    """A perceptron over the last axis.

    Args:
        config: its sizes, all known.

    Raises:
        ConfigError: a size is not known.
    """

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        if not (config.features and config.hidden and config.dim and config.activation):
            raise ConfigError(
                f"The network of frames is not settled: {config}.",
                "Set encoder.features to the number of features of a frame; the other sizes may be left to the method.",
            )
        self.channels, self.dim = config.features, config.dim
        self.first = nn.Linear(config.features, config.hidden)
        self.last = nn.Linear(config.hidden, config.dim)
        self.activation = config.activation

    def forward(self, x: Tensor) -> Tensor:
        """Float [..., F] to [..., d].

        Raises:
            ShapeError: frames have another number of features.
        """
        if x.shape[-1] != self.channels:
            raise ShapeError(f"Frames of {x.shape[-1]} features were given; the network takes {self.channels}.")
        if self.activation == "sigmoid":
            return torch.sigmoid(self.last(torch.sigmoid(self.first(x))))
        found: Tensor = self.last(torch.relu(self.first(x)))
        return found

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters by depth."""
        return [list(self.first.parameters()), list(self.last.parameters())]
