"""Mining: which other clips are positives, and the memories they come from. No gradient touches any of it."""

from kinema.mining.bank import MemoryBank
from kinema.mining.cascade import cascade, cascade_sizes, stage_views
from kinema.mining.queue import FeatureQueue

__all__ = ["FeatureQueue", "MemoryBank", "cascade", "cascade_sizes", "stage_views"]
