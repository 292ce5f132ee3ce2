"""Objectives: losses and their targets as pure functions of tensors."""

from kinema.objectives.cluster_ce import balanced_weights, cluster_cross_entropy
from kinema.objectives.hamming import soft_hamming
from kinema.objectives.in_batch import in_batch_nce
from kinema.objectives.info_nce import info_nce
from kinema.objectives.instance import check_contrast, instance_masks
from kinema.objectives.masked_lm import masked_lm
from kinema.objectives.max_margin import max_margin
from kinema.objectives.multi_label import positive_weights, present_cross_entropy, weighted_bce
from kinema.objectives.multi_positive_nce import multi_positive_nce
from kinema.objectives.nt_xent import nt_xent
from kinema.objectives.optimal_transport import (
    order_prior,
    segment_cost,
    segment_transport,
    sinkhorn,
    temporal_transport,
)
from kinema.objectives.option_contrast import option_contrast, option_cross_entropy, place_cross_entropy
from kinema.objectives.own_negatives import check_among, own_negatives, weighed_among
from kinema.objectives.triplet import batch_hard_triplet, check_margin, intra_and_inter, own_triplets, triplet

__all__ = [
    "balanced_weights",
    "batch_hard_triplet",
    "check_among",
    "check_contrast",
    "check_margin",
    "cluster_cross_entropy",
    "in_batch_nce",
    "info_nce",
    "instance_masks",
    "intra_and_inter",
    "masked_lm",
    "max_margin",
    "multi_positive_nce",
    "nt_xent",
    "option_contrast",
    "option_cross_entropy",
    "order_prior",
    "own_negatives",
    "own_triplets",
    "place_cross_entropy",
    "positive_weights",
    "present_cross_entropy",
    "segment_cost",
    "segment_transport",
    "sinkhorn",
    "soft_hamming",
    "temporal_transport",
    "triplet",
    "weighed_among",
    "weighted_bce",
]
