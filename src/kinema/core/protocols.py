"""The contracts: what an encoder and a method are to the rest of kinema.

A method is a plain ``nn.Module`` that says what its paper says. Four verbs drive it, and no other room knows more of
it than these:

    loss(batch, generator)   pure: twice with one generator state gives one value (BatchNorm statistics aside)
    commit(losses)           after the optimiser's step: moving averages, queues
    refresh(features)        between epochs: pseudo-labels, memory banks
    embed(x)                 what is used afterwards

All state that is not a parameter is a registered, persistent buffer, so that one generic checkpoint resumes any
method exactly. ``tests/conformance`` holds every method to this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from kinema.core.records import ClipBatch, Losses


@runtime_checkable
class Encoder(Protocol):
    """A network from one view of a clip to a feature.

    ``channels`` is what it takes in, ``dim`` what it gives out. ``feature_map`` is [B, dim, t, h, w] before pooling;
    calling the encoder gives its mean over t, h and w, [B, dim].
    """

    channels: int
    dim: int

    def feature_map(self, x: Tensor) -> Tensor: ...

    def __call__(self, x: Tensor) -> Tensor: ...


class Method(nn.Module):
    """The base of every method: the four verbs, three of them with a default that does nothing.

    Subclasses set ``view`` (what :meth:`embed` takes), ``views`` (all that a batch must hold), ``variants`` (how many
    of each clip) and ``reads_labels`` (False for everything that learns without labels).
    """

    view: str = "rgb"
    views: tuple[str, ...] = ("rgb",)
    variants: int = 2
    reads_labels: bool = False

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> Losses:
        """The training objective on one batch; changes nothing but BatchNorm statistics."""
        raise TypeError(f"{type(self).__name__} does not define loss(batch, generator).")

    def commit(self, losses: Losses) -> None:
        """Takes over what a step leaves behind; called once after the optimiser's step (or the step left out)."""

    def refresh(self, features: Mapping[str, Tensor]) -> None:
        """Takes the features of the whole training set between two epochs."""

    def embed(self, x: Tensor) -> Tensor:
        """Features of one view, float [B, C, T, H, W] to [B, dim]; not normalised."""
        encoder = self.encoders()[self.view]
        features: Tensor = encoder(x)
        return features

    def encoders(self) -> Mapping[str, nn.Module]:
        """The trained encoders by view: what a run keeps when the phase is over."""
        raise TypeError(f"{type(self).__name__} does not define encoders().")
