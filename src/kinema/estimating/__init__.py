"""What a pretraining would take, found out before it is begun."""

from kinema.estimating.records import CacheEstimate, Estimate, PhaseEstimate
from kinema.estimating.table import table
from kinema.estimating.trying import dry_run

__all__ = ["CacheEstimate", "Estimate", "PhaseEstimate", "dry_run", "table"]
