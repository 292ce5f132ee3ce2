"""Semantic textual similarity of a model: the cosine of two sentences against the similarity that people gave them."""

from __future__ import annotations

from dataclasses import asdict

from kinema.data.sentences import SentencePairs
from kinema.evaluation.sts import cosine_similarities, sts_figures
from kinema.protocols.sentences import Encode, Measured, encode_sentences


def measure_sts(encode: Encode, pairs: SentencePairs, preset: str = "mean", *, seed: int = 0) -> Measured:
    """Spearman and Pearson of one file or one year.

    Args:
        encode: sentences to float [N, d].
        pairs: of one file or one year.
        preset: 'mean' or 'all', how a year's subsets are brought into one figure.
        seed: of the bootstrap.

    Returns:
        Metrics 'spearman' and 'pearson', from -1 to 1; details with the interval of Spearman, the figures of each
        subset, the pairs that had no score, and the vectors' dimensions.

    Raises:
        ConfigError: an unknown preset.
        DataError: a subset of fewer than two pairs, or with one score for all.
        ShapeError: ``encode`` did not give one finite vector a sentence.
    """
    vectors = encode_sentences(encode, [*pairs.first, *pairs.second])
    similarities = cosine_similarities(vectors[: len(pairs)], vectors[len(pairs) :])
    figures = sts_figures(similarities, pairs.scores, pairs.subsets, preset=preset, seed=seed)
    details = {
        "interval": list(figures.interval),
        "per_subset": {name: asdict(each) for name, each in figures.per_subset.items()},
        "without_score": pairs.skipped,
        "dimensions": vectors.shape[1],
    }
    return Measured(figures.metrics, details, len(pairs))
