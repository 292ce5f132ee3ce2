"""Mining: which other clips are positives, and the memories they come from. No gradient touches any of it."""

from kinema.mining.bank import MemoryBank
from kinema.mining.cascade import CascadeSettings, cascade, cascade_sizes, stage_views
from kinema.mining.pseudo_labels import Clusters, Engine, PseudoLabels, cluster
from kinema.mining.queue import FeatureQueue

__all__ = [
    "CascadeSettings",
    "Clusters",
    "Engine",
    "FeatureQueue",
    "MemoryBank",
    "PseudoLabels",
    "cascade",
    "cascade_sizes",
    "cluster",
    "stage_views",
]
