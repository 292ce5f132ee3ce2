"""MoCo on clips: InfoNCE against a queue of earlier keys from a slowly moving copy of the network.

He, Fan, Wu, Xie, Girshick, "Momentum contrast for unsupervised visual representation learning", CVPR 2020,
arXiv 1911.05722. This is the InfoNCE baseline that CoCLR and CPR start from: one view, one positive.

Legend: B clips, K entries of the queue, d dimensions; q query, k key, f_q and f_k their networks.

Departures:
- Nothing is learnt before the queue that gives the negatives is full (the authors start from random unit vectors).
- Keys of the same recording in the queue are left out of the negatives (``siblings='ignored'``): in a data set not
  much larger than the queue they are most often the clip itself, one epoch ago. ``siblings='negatives'`` is the paper.
- The authors shuffle clips between GPUs so that BatchNorm cannot tell a query's own key by the batch it was computed
  in, nor by how recently. Here the other keys of the batch are negatives beside the queue: against them neither helps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kinema.core.clips import ClipNeeds
from kinema.core.method import TrainingContext
from kinema.methods.queue_contrast import QueueContrast
from kinema.networks import EncoderConfig, HeadConfig
from kinema.objectives import check_contrast


@dataclass(frozen=True)
class MoCoConfig:
    """MoCo's settings.

    Args:
        view: the view that is learnt from.
        queue: K, keys that are remembered; a multiple of the batch over all ranks.
        temperature: τ.
        momentum: m, how slowly the key network follows.
        siblings: whether earlier keys of the same recording count as negatives (the paper) or are left out.
        negatives_from: the 'queue' (the paper), the other keys of the 'batch' (MoCo v3), or 'both'. A run of few steps
            needs 'batch': its network moves so fast that a key of the queue is told by its age.
        head: the projection head.
    """

    view: str = "rgb"
    queue: int = 1024
    temperature: float = 0.07
    momentum: float = 0.99
    siblings: Literal["ignored", "negatives"] = "ignored"
    negatives_from: Literal["queue", "batch", "both"] = "both"
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        check_contrast(self.queue, self.temperature, self.momentum)

    @property
    def needs(self) -> ClipNeeds:
        """Two variants of each clip, in one view."""
        return ClipNeeds((self.view,), negatives=True)

    @property
    def trains(self) -> tuple[str, ...]:
        """The views whose towers are learnt."""
        return (self.view,)

    @property
    def warm_up_clips(self) -> int:
        """How many clips must have passed before a step can learn: the queue's, if it gives negatives."""
        return 0 if self.negatives_from == "batch" else self.queue

    def build(self, encoder: EncoderConfig, context: TrainingContext) -> MoCo:  # noqa: ARG002 - the contract
        """The method, freshly initialised."""
        return MoCo(self, encoder)


class MoCo(QueueContrast):
    """InfoNCE (eq. 1) of q against its own key and the others; the loss is :meth:`QueueContrast.loss`."""
