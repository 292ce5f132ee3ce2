"""Objectives: losses as pure functions of tensors."""

from kinema.objectives.info_nce import info_nce
from kinema.objectives.instance import instance_masks
from kinema.objectives.multi_positive_nce import multi_positive_nce
from kinema.objectives.nt_xent import nt_xent
from kinema.objectives.own_negatives import own_negatives
from kinema.objectives.triplet import triplet

__all__ = ["info_nce", "instance_masks", "multi_positive_nce", "nt_xent", "own_negatives", "triplet"]
