"""A tower: the encoder of one view and the projection head that contrastive learning compares in."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kinema.core.clips import SOUND, VIEWS
from kinema.core.errors import ConfigError
from kinema.core.guesses import choose_from
from kinema.networks.build import EncoderConfig, build_encoder, build_sound_encoder
from kinema.networks.heads import ProjectionHead
from kinema.networks.video.layers import VideoEncoder


@dataclass(frozen=True)
class HeadConfig:
    """The projection head.

    Args:
        layers: linear layers; 1 is linear, 2 is MoCo v2's and SimCLR v1's, 3 is SimCLR v2's.
        out: d, dimensions of the projection.
        norm: BatchNorm after every layer. It centres the projections, so that what all of a batch have in common
            does not identify a clip.
        affine: whether the last BatchNorm has a scale and a shift, as CMD's has; SimCLR's has none here.
        hidden: features of the hidden layers; 0 for as many as the encoder gives out.
    """

    layers: int = 2
    out: int = 128
    norm: bool = False
    affine: bool = False
    hidden: int = 0

    def __post_init__(self) -> None:
        for name in ("layers", "out"):
            if getattr(self, name) < 1:
                raise ConfigError(f"head.{name} is {getattr(self, name)}; it must be at least 1.")
        if self.hidden < 0:
            raise ConfigError(f"head.hidden is {self.hidden}; it must be at least 1, or 0 for the encoder's width.")
        if self.affine and not self.norm:
            raise ConfigError(
                "head.affine is set and head.norm is not; the scale and the shift are those of the last BatchNorm.",
                "Set head.norm too, or leave head.affine out.",
            )

    def build(self, dim: int, hidden: int) -> ProjectionHead:
        """The head on features of ``dim``; its hidden layers have ``hidden`` where the settings leave it open."""
        return ProjectionHead(dim, self.hidden or hidden, self.out, self.layers, self.norm, self.affine)


class Tower(nn.Module):
    """float [B, C, T, H, W] of one view, or [B, 1, bands, times] of the sound, to L2-normalised projections [B, d].

    ``encoder`` is what is used after training, ``head`` is dropped. ``view``, ``encoder_config`` and ``head_config``
    say what it was built from.
    """

    def __init__(self, view: str, encoder: EncoderConfig, head: HeadConfig) -> None:
        super().__init__()
        if view not in VIEWS:
            raise ConfigError(f"There is no view '{view}'.", choose_from(view, VIEWS))
        self.view, self.encoder_config, self.head_config = view, encoder, head
        if view == SOUND:
            self.encoder: VideoEncoder = build_sound_encoder(encoder)
        else:
            self.encoder = build_encoder(encoder, channels=VIEWS[view], rgb=view == "rgb")
        dim = self.encoder.dim
        self.head = head.build(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, C, T, H, W], or [B, 1, bands, times], to [B, d], rows of length one."""
        z: Tensor = self.head(self.encoder(x))
        return z

    @torch.no_grad()
    def frozen_copy(self) -> Tower:
        """A copy that no gradient reaches: where a momentum tower starts."""
        copy = deepcopy(self)
        return copy.requires_grad_(False)
