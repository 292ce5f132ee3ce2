"""Estimates of a pretraining's memory and time, before it starts."""

from kinema.core.cost import CacheEstimate
from kinema.estimating.records import Estimate, PhaseEstimate
from kinema.estimating.table import table
from kinema.estimating.trying import dry_run

__all__ = ["CacheEstimate", "Estimate", "PhaseEstimate", "dry_run", "table"]
