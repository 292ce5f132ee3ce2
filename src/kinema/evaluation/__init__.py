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
from kinema.evaluation.reliability import Reliability, of_halves, reliability
from kinema.evaluation.retrieval import PRESETS, RetrievalFigures, RetrievalPreset, retrieve
from kinema.evaluation.segment_scores import F1_PRESETS, edit_score, overlap_f1, segment_scores
from kinema.evaluation.segmentation import (
    SCOPES,
    ClassFigures,
    PooledFigures,
    SegmentationFigures,
    VideoFigures,
    as_classes,
    match_clusters,
    pooled_figures,
    segmentation_figures,
)
from kinema.evaluation.segmentation_floors import kmeans_segments, uniform_split
from kinema.evaluation.splits import few, hold_out
from kinema.evaluation.zipf import Scaling, ZipfFigures, worst_divergence, zipf_fitness

__all__ = [
    "DRAWS",
    "F1_PRESETS",
    "KNN_PRESETS",
    "PRESETS",
    "SCOPES",
    "SHARES",
    "AccuracyFigures",
    "ClassFigures",
    "CrossModalFigures",
    "Draw",
    "KNNFigures",
    "KNNPreset",
    "LinearProbe",
    "MiningFigures",
    "MiningMeter",
    "PooledFigures",
    "Ranking",
    "Reliability",
    "RetrievalFigures",
    "RetrievalPreset",
    "Scaling",
    "SegmentationFigures",
    "VideoFigures",
    "ZipfFigures",
    "accuracy_of",
    "as_classes",
    "bootstrap_interval",
    "class_columns",
    "edit_score",
    "few",
    "fit_few",
    "fit_linear",
    "hold_out",
    "kmeans_segments",
    "match_clusters",
    "of_halves",
    "over_draws",
    "overlap_f1",
    "pooled_figures",
    "rank",
    "reliability",
    "require_labels",
    "retrieve",
    "retrieve_across",
    "segment_scores",
    "segmentation_figures",
    "training_classes",
    "uniform_split",
    "vote",
    "worst_divergence",
    "zipf_fitness",
]
