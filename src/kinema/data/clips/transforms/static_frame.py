"""Background erasing: a still frame of the clip is added to every frame, so that the background is not informative.

Wang, Gao, Li, Lin, Ma, Cheng, Peng, Huang, Ji, Sun, "Removing the Background by Adding the Background" (BE), CVPR
2021, arXiv 2009.05769: x̃_t = (1 − λ) x_t + λ x_s. What stands still in the clip is now true of another moment too; what
moves keeps its motion, and all frame differences shrink by the same factor 1 − λ.

Legend: B clips, T frames; s the frame that is added, λ its share.

A background that is still in its clip is not changed by a frame of that clip. A frame of another clip is foreign to
any background: ``source='batch'``, which is not the paper's method.

Departure from the authors' code: λ is drawn for every clip; there, one serves a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from kinema.core.errors import ConfigError
from kinema.core.moving import sent
from kinema.core.ops import rand_rows

Source = Literal["clip", "batch"]
"""Whose frame is added."""


@dataclass(frozen=True)
class StaticFrame:
    """Adds a random frame of the clip, or of another one, to all of its frames.

    Args:
        strength: the largest λ; a clip's is uniform from 0 to it. 0 changes nothing.
        variant: which variant is changed; 0 is the query.
        source: 'clip' for a frame of its own (the paper's method), 'batch' for one of the next clip of the batch.
    """

    strength: float = 0.3
    variant: int = 0
    source: Source = "clip"

    def __post_init__(self) -> None:
        if not 0 <= self.strength < 1:
            raise ConfigError(f"static-frame.strength is {self.strength}; it must lie in [0, 1).")
        if self.variant < 0:
            raise ConfigError(f"static-frame.variant is {self.variant}; variants count from 0.")
        if self.source not in get_args(Source):
            raise ConfigError(f"static-frame.source is '{self.source}'.", "Choose 'clip' or 'batch'.")

    negative = False
    elsewhere = False
    views = ()

    def draw(self, clips: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """λ and the place of s in the clip, from 0 to 1, float [B] each."""
        draws = rand_rows(clips, 2, generator=generator)
        return self.strength * draws[:, 0], draws[:, 1]

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """All views with the frame added: rgb is mixed, the residual scaled by 1 − λ, the motion left as it is."""
        clips = len(next(iter(variant.values())))
        return mixed(variant, *self.draw(clips, generator), self.source)


def mixed(variant: Mapping[str, Tensor], share: Tensor, place: Tensor, source: Source = "clip") -> dict[str, Tensor]:
    """A variant with one frame added to all of a clip's.

    Args:
        variant: float [B, C, T, S, S] by view. rgb may be in any unit: a mean of two colours is one in all of them.
        share: λ, float [B].
        place: of the added frame in its clip, float [B] in [0, 1).
        source: whose frame: the clip's, or that of the next clip of the batch.
    """
    made = dict(variant)
    if (x := variant.get("rgb")) is not None:
        frames = sent((place * x.shape[2]).long(), x.device)
        clips = torch.arange(len(x), device=x.device)
        clips = clips if source == "clip" else clips.roll(-1)
        still = x[clips, :, frames][:, :, None]
        # lerp is x + λ (still − x): a still clip is not changed by a single bit
        made["rgb"] = torch.lerp(x, still, _a_clip(share, x))
    if (x := variant.get("residual")) is not None:
        made["residual"] = (1 - _a_clip(share, x)) * x
    return made


def _a_clip(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like)[:, None, None, None, None]
