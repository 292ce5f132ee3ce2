"""Objectives: losses as pure functions of tensors."""

from kinema.objectives.info_nce import info_nce
from kinema.objectives.multi_positive_nce import multi_positive_nce
from kinema.objectives.nt_xent import nt_xent

__all__ = ["info_nce", "multi_positive_nce", "nt_xent"]
