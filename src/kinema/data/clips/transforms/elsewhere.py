"""A negative from elsewhere in the same video: the scene is that of the clip, and what happens is not.

Wang et al. 2021, "Removing the Background by Adding the Background" (BE), CVPR 2021, arXiv 2009.05769. The sampler
draws the window some way off (``kinema.data.clips.sampler``); it is augmented as every variant is. The authors' code
has windows from four frames away on, so that nearly every clip has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kinema.core.errors import ConfigError

RELEASED_APART = 4
"""Frames from the clip's start to that of the window elsewhere, at least, in the authors' code."""


@dataclass(frozen=True)
class Elsewhere:
    """Another window of the video as a negative of the clip; masked where the video has no room for one.

    Args:
        apart: video frames from the start of each of the clip's windows to its start, at least; 0, and more than a
            third of the clip's span, for that third.
    """

    apart: int = 0

    def __post_init__(self) -> None:
        if self.apart < 0:
            raise ConfigError(f"apart is {self.apart}; it must be 0 (a third of the clip's span) or some frames.")

    negative = True
    elsewhere = True
    variant = 0
    views = ()

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:  # noqa: ARG002
        """The window as it is."""
        return variant
