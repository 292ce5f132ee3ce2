"""Pure functions of tensors and arrays that several rooms need."""

from kinema.core.ops.bootstrap import bootstrap_of_mean
from kinema.core.ops.cosine import cosine_matrix, unit_parts
from kinema.core.ops.distributed import all_gather_rows, mean_over_ranks, own_rank, rand_rows, rank_slice, world_size
from kinema.core.ops.dropout import dropout_from
from kinema.core.ops.ema import update_ema
from kinema.core.ops.information import entropy, normalised_mutual_information
from kinema.core.ops.kmeans import k_means
from kinema.core.ops.rank import effective_rank
from kinema.core.ops.viterbi import ordered_path

__all__ = [
    "all_gather_rows",
    "bootstrap_of_mean",
    "cosine_matrix",
    "dropout_from",
    "effective_rank",
    "entropy",
    "k_means",
    "mean_over_ranks",
    "normalised_mutual_information",
    "ordered_path",
    "own_rank",
    "rand_rows",
    "rank_slice",
    "unit_parts",
    "update_ema",
    "world_size",
]
