"""Arrays in, named figures out: the protocols. No method is known here by name."""

from kinema.evaluation.accuracy import AccuracyFigures, accuracy_of
from kinema.evaluation.cross_modal import CrossModalFigures, retrieve_across
from kinema.evaluation.few_label import DRAWS, SHARES, Draw, fit_few, over_draws
from kinema.evaluation.interval import bootstrap_interval
from kinema.evaluation.knn import KNN_PRESETS, KNNFigures, KNNPreset, vote
from kinema.evaluation.labels import class_columns, require_labels, training_classes
from kinema.evaluation.linear import LinearProbe, fit_linear
from kinema.evaluation.mining import MiningFigures, MiningMeter
from kinema.evaluation.ranking import Ranking, rank
from kinema.evaluation.retrieval import PRESETS, RetrievalFigures, RetrievalPreset, retrieve
from kinema.evaluation.splits import few, hold_out
from kinema.evaluation.zipf import ZipfFigures, worst_divergence, zipf_fitness

__all__ = [
    "DRAWS",
    "KNN_PRESETS",
    "PRESETS",
    "SHARES",
    "AccuracyFigures",
    "CrossModalFigures",
    "Draw",
    "KNNFigures",
    "KNNPreset",
    "LinearProbe",
    "MiningFigures",
    "MiningMeter",
    "Ranking",
    "RetrievalFigures",
    "RetrievalPreset",
    "ZipfFigures",
    "accuracy_of",
    "bootstrap_interval",
    "class_columns",
    "few",
    "fit_few",
    "fit_linear",
    "hold_out",
    "over_draws",
    "rank",
    "require_labels",
    "retrieve",
    "retrieve_across",
    "training_classes",
    "vote",
    "worst_divergence",
    "zipf_fitness",
]
