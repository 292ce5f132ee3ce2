"""Arrays in, named figures out: ranking, retrieval and what was mined. No method is known here by name."""

from kinema.evaluation.labels import require_labels
from kinema.evaluation.mining import MiningFigures, MiningMeter
from kinema.evaluation.ranking import Ranking, rank
from kinema.evaluation.retrieval import PRESETS, RetrievalFigures, RetrievalPreset, bootstrap_interval, retrieve

__all__ = [
    "PRESETS",
    "MiningFigures",
    "MiningMeter",
    "Ranking",
    "RetrievalFigures",
    "RetrievalPreset",
    "bootstrap_interval",
    "rank",
    "require_labels",
    "retrieve",
]
