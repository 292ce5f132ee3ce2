"""A negative from elsewhere in the same video: the scene is that of the clip, and what happens is not.

Wang et al. 2021, "Removing the Background by Adding the Background" (BE), CVPR 2021, arXiv 2009.05769. The sampler
draws the window at least a third of a clip's span away (``kinema.data.clips.sampler``); it is augmented as every
variant is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Elsewhere:
    """Another window of the video as a negative of the clip; masked where the video has no room for one."""

    negative = True
    elsewhere = True
    variant = 0
    views = ()

    def apply(self, variant: Mapping[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:  # noqa: ARG002
        """The window as it is."""
        return variant
